"""What the radiologist wrote down, as words and grades, and the vectoriser that counts them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import pandas as pd

from lemons_core.base.errors import DataError
from lemons_core.base.terms import DISTRIBUTION, MORPHOLOGY, AbnormalityType, Laterality, View, display
from lemons_core.labels.mapping import read_mapping

Features = Literal["descriptors", "context", "assessment"]


@dataclass(frozen=True)
class FeatureSet:
    """What a model reads of a note beside type and distribution.

    reads : fields of Note
    words : the whole of it in a sentence for people
    """

    reads: tuple[str, ...]
    words: str


_CONTEXT = ("breast_density", "subtlety", "view")
# From the poorest to the richest: each reads all that those before it read.
FEATURE_SETS: dict[Features, FeatureSet] = {
    "descriptors": FeatureSet((), "Reads type and distribution only: what was seen, not what was thought of it."),
    "context": FeatureSet(_CONTEXT, "Reads type, distribution, breast density, subtlety and view."),
    "assessment": FeatureSet(
        (*_CONTEXT, "assessment"),
        "Reads the BI-RADS category as well: the radiologist's own judgement, which decides most of it.",
    ),
}
# The fields of a note in words for people, and the values that its grades can have.
FIELD_WORDS: dict[str, str] = {
    "morphology": "type", "distribution": "distribution", "breast_density": "breast density", "subtlety": "subtlety",
    "view": "view", "laterality": "side", "assessment": "BI-RADS category",
}  # fmt: skip
GRADES: dict[str, tuple[int, ...]] = {
    "breast_density": (1, 2, 3, 4), "subtlety": (1, 2, 3, 4, 5), "assessment": (0, 1, 2, 3, 4, 5),
}  # fmt: skip

# Words of their own, because in CBIS-DDSM a descriptor that is missing says much of the outcome: see leakage.py.
NO_TYPE = "TYPE_NOT_GIVEN"
NO_DISTRIBUTION = "DISTRIBUTION_NOT_GIVEN"

# From the mapping table's suspicion column; a rare type such as milk of calcium learns from its like.
_SUSPICION = {"typically benign": 0, "low": 1, "moderate": 2, "moderate to high": 3, "high": 4}


@dataclass(frozen=True)
class Note:
    """One finding in one view, as far as it was described; None or () means not given.

    morphology, distribution : tokens of terms.MORPHOLOGY and terms.DISTRIBUTION, in their order, each once
    breast_density : 1-4; subtlety : 1 (hard to see) to 5 (obvious); assessment : BI-RADS 0-5, 0 is incomplete
    """

    morphology: tuple[str, ...] = ()
    distribution: tuple[str, ...] = ()
    breast_density: int | None = None
    subtlety: int | None = None
    view: str | None = None
    laterality: str | None = None
    assessment: int | None = None

    @property
    def has_finding(self) -> bool:
        """Whether type, distribution or BI-RADS category is given: what a probability needs at the least."""
        return bool(self.morphology or self.distribution or self.assessment is not None)

    def __str__(self) -> str:
        """The note in words, as shown to people."""
        parts = [display("-".join(self.morphology)) if self.morphology else "type not given"]
        parts.append(display("-".join(self.distribution)) if self.distribution else "distribution not given")
        for value, words in (
            (self.breast_density, "density"),
            (self.subtlety, "subtlety"),
            (self.view, "view"),
            (self.laterality and display(self.laterality), "side"),
            (self.assessment, "BI-RADS"),
        ):
            if value is not None:
                parts.append(f"{words} {value}")
        return ", ".join(parts)


def build_note(morphology: Iterable[str] = (), distribution: Iterable[str] = (), **context: int | str | None) -> Note:
    """A note from a person's choice, checked.

    Raises DataError: a token, grade, view or side that does not exist, or nothing described at all
    """
    tokens = ordered_tokens(morphology, MORPHOLOGY), ordered_tokens(distribution, DISTRIBUTION)
    note = Note(*tokens, **context)  # type: ignore[arg-type]
    for given, vocabulary in zip(tokens, (MORPHOLOGY, DISTRIBUTION), strict=True):
        for token in given:
            _require_known(token, vocabulary, "word")
    for name, grades in GRADES.items():
        value = getattr(note, name)
        if value is not None and not (isinstance(value, int) and value in grades):
            raise DataError(f"{name} '{str(value)[:40]}' is outside {grades[0]}-{grades[-1]}", where="note")
    for name, kinds in (("view", View), ("laterality", Laterality)):
        if getattr(note, name) is not None:
            _require_known(getattr(note, name), tuple(kinds), name)
    if not note.has_finding:
        raise DataError("The note is empty", todo="Give a type, a distribution or a BI-RADS category.")
    return note


def _require_known(value: Any, known: Sequence[str], what: str) -> None:
    if value not in known:
        raise DataError(f"Unknown {what} '{str(value)[:40]}'", where="note", todo=f"Known: {', '.join(known)}.")


def build_notes(table: pd.DataFrame) -> list[Note]:
    """The notes of a case table, one a row. For a mass, shape and margins stand in for type and distribution."""
    mass = (table["abnormality_type"] == AbnormalityType.MASS).to_numpy(dtype=bool, na_value=False)
    raw = [table["morphology_tokens"].copy(), table["distribution_tokens"].copy()]
    for tokens, column in zip(raw, ("mass_shape", "mass_margins"), strict=True):
        if mass.any():
            tokens[mass] = table.loc[mass, column].map(lambda v: tuple(v.split("-")) if isinstance(v, str) else ())
    vocabularies = (MORPHOLOGY, DISTRIBUTION)
    columns: list[list[Any]] = [
        [ordered_tokens(t, v) for t in tokens] for tokens, v in zip(raw, vocabularies, strict=True)
    ]
    for name in tuple(FIELD_WORDS)[2:]:
        kind = int if name in GRADES else str
        columns.append([None if pd.isna(value) else kind(value) for value in table[name].astype(object)])
    return [Note(*values) for values in zip(*columns, strict=True)]


@dataclass(frozen=True)
class Vectoriser:
    """Counts of words and n-grams, then grades, in a fixed order; fitted on training notes only.

    features : which part of the note is read; the side is never read, for it holds nothing about malignancy
    grades : "number" (trees split them in order; missing is nan) or "word" (a linear model gets one word a grade)
    vocabulary : n-grams seen in training, words joined by a space
    """

    features: Features
    grades: Literal["number", "word"]
    ngrams: int
    vocabulary: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, in order."""
        return self.vocabulary + self._numbers

    @property
    def descriptors(self) -> tuple[str, ...]:
        """For each column the part of the note that it comes from, such as "type" or "assessment"."""
        return tuple(_descriptor(name) for name in self.names)

    @property
    def _numbers(self) -> tuple[str, ...]:
        return ("type_suspicion", *_grade_names(self.features)) if self.grades == "number" else ()

    def transform(self, notes: Sequence[Note]) -> np.ndarray:
        """(N, len(names)) float32; words outside the vocabulary are not counted, a grade not given is nan."""
        column_of = {gram: i for i, gram in enumerate(self.vocabulary)}
        distinct: dict[Note, int] = {}  # notes repeat: a thousand rows hold some hundred different ones
        rows = np.array([distinct.setdefault(note, len(distinct)) for note in notes], dtype=int)
        matrix = np.zeros((len(distinct), len(self.names)), dtype=np.float32)
        for note, row in distinct.items():
            for gram in _grams(note, self.features, self.grades, self.ngrams):
                if gram in column_of:
                    matrix[row, column_of[gram]] += 1
            for column, name in enumerate(self._numbers, start=len(self.vocabulary)):
                matrix[row, column] = _number(note, name)
        return matrix[rows]

    def unseen(self, note: Note) -> tuple[str, ...]:
        """Words of the note that the training notes did not hold."""
        return tuple(w for w in _grams(note, self.features, self.grades, 1) if w not in self.vocabulary)


def fit_vectoriser(
    notes: Sequence[Note], *, features: Features, grades: Literal["number", "word"] = "number", ngrams: int = 1
) -> Vectoriser:
    """Collect the vocabulary: every single word, and each longer n-gram seen at least five times."""
    if features not in FEATURE_SETS:
        raise DataError(f"Unknown feature set '{features}'", todo=f"Known: {', '.join(FEATURE_SETS)}.")
    counts = Counter(gram for note in notes for gram in _grams(note, features, grades, ngrams))
    kept = sorted(gram for gram, count in counts.items() if " " not in gram or count >= 5)
    return Vectoriser(features, grades, ngrams, tuple(kept))


def ordered_tokens(tokens: Iterable[str], vocabulary: tuple[str, ...]) -> tuple[str, ...]:
    """Each token once, in the vocabulary's order, so that A-B and B-A are one note; unknown ones last."""
    return tuple(sorted(set(tokens), key=lambda t: (vocabulary.index(t) if t in vocabulary else len(vocabulary), t)))


@cache
def _grams(note: Note, features: Features, grades: str, ngrams: int) -> tuple[str, ...]:
    words = (note.morphology or (NO_TYPE,)) + (note.distribution or (NO_DISTRIBUTION,))
    grams = [" ".join(words[i : i + n]) for n in range(1, ngrams + 1) for i in range(len(words) - n + 1)]
    reads = FEATURE_SETS[features].reads
    if "view" in reads and note.view:
        grams.append(f"view_{note.view}")
    if "assessment" in reads and note.assessment == 0:
        grams.append("assessment_incomplete")
    if grades == "word":
        given = {name: _grade(note, name) for name in _grade_names(features)}
        grams += [f"{name}_{value}" for name, value in given.items() if value is not None]
    return tuple(grams)


def _grade_names(features: Features) -> tuple[str, ...]:
    return tuple(name for name in FEATURE_SETS[features].reads if name in GRADES)


def _grade(note: Note, name: str) -> int | None:
    # Assessment 0 means incomplete, not lowest: it has a word of its own and no position on the scale.
    value: int | None = getattr(note, name)
    return None if (name, value) == ("assessment", 0) else value


def _number(note: Note, name: str) -> float:
    if name == "type_suspicion":
        return max((_suspicion().get(token, np.nan) for token in note.morphology), default=np.nan)
    value = _grade(note, name)
    return np.nan if value is None else float(value)


@cache
def _suspicion() -> dict[str, int]:
    return {rule.token: _SUSPICION[rule.suspicion] for rule in read_mapping().rules}


def _descriptor(name: str) -> str:
    for grade in (*GRADES, "view"):
        if name.startswith(f"{grade}_") or name == grade:
            return grade
    if name == "type_suspicion":
        return "type"
    kinds = {"distribution" if w in (*DISTRIBUTION, NO_DISTRIBUTION) else "type" for w in name.split()}
    return "type + distribution" if len(kinds) == 2 else kinds.pop()
