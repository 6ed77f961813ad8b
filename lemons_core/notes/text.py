"""What the radiologist wrote down, as words and grades, and the vectoriser that counts them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from lemons_core.base.errors import DataError
from lemons_core.base.terms import DISTRIBUTION, MORPHOLOGY, AbnormalityType, Laterality, View, display
from lemons_core.labels.mapping import read_mapping

Features = Literal["descriptors", "context", "assessment"]
FEATURE_SETS: tuple[Features, ...] = get_args(Features)

# Said aloud, because in CBIS-DDSM what is not given tells much: see leakage.py.
NO_TYPE = "TYPE_NOT_GIVEN"
NO_DISTRIBUTION = "DISTRIBUTION_NOT_GIVEN"

_GRADES = {"breast_density": (1, 4), "subtlety": (1, 5), "assessment": (0, 5)}
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

    Raises
    ------
    DataError : a token, grade, view or side that does not exist, or nothing described at all
    """
    note = Note(_in_order(morphology, MORPHOLOGY), _in_order(distribution, DISTRIBUTION), **context)  # type: ignore[arg-type]
    for given, known in ((note.morphology, MORPHOLOGY), (note.distribution, DISTRIBUTION)):
        for token in given:
            if token not in known:
                raise DataError(f"Unknown word '{token[:40]}'", where="note", todo=f"Known: {', '.join(known)}.")
    for name, (low, high) in _GRADES.items():
        value = getattr(note, name)
        if value is not None and not (isinstance(value, int) and low <= value <= high):
            raise DataError(f"{name} '{str(value)[:40]}' is outside {low}-{high}", where="note")
    for name, kinds in (("view", View), ("laterality", Laterality)):
        value = getattr(note, name)
        if value is not None and value not in list(kinds):
            raise DataError(f"Unknown {name} '{str(value)[:40]}'", where="note", todo=f"Known: {', '.join(kinds)}.")
    if not (note.morphology or note.distribution or note.assessment is not None):
        raise DataError("The note is empty", todo="Give a type, a distribution or a BI-RADS category.")
    return note


def build_notes(table: pd.DataFrame) -> list[Note]:
    """The notes of a case table, one a row. For a mass, shape and margins stand in for type and distribution."""
    mass = (table["abnormality_type"] == AbnormalityType.MASS).to_numpy(dtype=bool, na_value=False)
    raw = [table["morphology_tokens"].copy(), table["distribution_tokens"].copy()]
    for tokens, column in zip(raw, ("mass_shape", "mass_margins"), strict=True):
        if mass.any():
            tokens[mass] = table.loc[mass, column].map(lambda v: tuple(v.split("-")) if isinstance(v, str) else ())
    vocabularies = (MORPHOLOGY, DISTRIBUTION)
    columns: list[list[Any]] = [[_in_order(t, v) for t in tokens] for tokens, v in zip(raw, vocabularies, strict=True)]
    for name in ("breast_density", "subtlety", "view", "laterality", "assessment"):
        values = table[name].astype(object)
        columns.append([None if pd.isna(v) else int(v) if name in _GRADES else str(v) for v in values])
    return [Note(*values) for values in zip(*columns, strict=True)]


@dataclass(frozen=True)
class Vectoriser:
    """Counts of words and n-grams, then grades, in a fixed order; fitted on training notes only.

    features : which part of the note is read; the side is never read, for it can tell nothing about malignancy
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
        place = {gram: i for i, gram in enumerate(self.vocabulary)}
        distinct: dict[Note, int] = {}  # notes repeat: a thousand rows hold some hundred different ones
        rows = np.array([distinct.setdefault(note, len(distinct)) for note in notes], dtype=int)
        matrix = np.zeros((len(distinct), len(self.names)), dtype=np.float32)
        for note, row in distinct.items():
            for gram in _grams(note, self.features, self.grades, self.ngrams):
                if gram in place:
                    matrix[row, place[gram]] += 1
            for column, name in enumerate(self._numbers, start=len(self.vocabulary)):
                matrix[row, column] = _number(note, name)
        return matrix[rows]

    def unseen(self, note: Note) -> tuple[str, ...]:
        """Words of the note that the training notes did not hold."""
        return tuple(w for w in _grams(note, self.features, self.grades, 1) if w not in self.vocabulary)


def fit_vectoriser(
    notes: Sequence[Note],
    *,
    features: Features,
    grades: Literal["number", "word"] = "number",
    ngrams: int = 1,
    min_count: int = 5,
) -> Vectoriser:
    """Collect the vocabulary: every single word, and each longer n-gram seen at least `min_count` times."""
    if features not in FEATURE_SETS:
        raise DataError(f"Unknown feature set '{features}'", todo=f"Known: {', '.join(FEATURE_SETS)}.")
    counts = Counter(gram for note in notes for gram in _grams(note, features, grades, ngrams))
    kept = sorted(gram for gram, count in counts.items() if " " not in gram or count >= min_count)
    return Vectoriser(features, grades, ngrams, tuple(kept))


def _in_order(tokens: Iterable[str], vocabulary: tuple[str, ...]) -> tuple[str, ...]:
    """Each token once, in the vocabulary's order, so that A-B and B-A are one note; unknown ones last."""
    return tuple(sorted(set(tokens), key=lambda t: (vocabulary.index(t) if t in vocabulary else len(vocabulary), t)))


@cache
def _grams(note: Note, features: Features, grades: str, ngrams: int) -> tuple[str, ...]:
    words = [*(note.morphology or (NO_TYPE,)), *(note.distribution or (NO_DISTRIBUTION,))]
    grams = [" ".join(words[i : i + n]) for n in range(1, ngrams + 1) for i in range(len(words) - n + 1)]
    if features != "descriptors" and note.view:
        grams.append(f"view_{note.view}")
    if features == "assessment" and note.assessment == 0:
        grams.append("assessment_incomplete")
    if grades == "word":
        for name in _grade_names(features):
            value = getattr(note, name)
            if value is not None and (name, value) != ("assessment", 0):
                grams.append(f"{name}_{value}")
    return tuple(grams)


def _grade_names(features: Features) -> tuple[str, ...]:
    return {"descriptors": (), "context": ("breast_density", "subtlety"), "assessment": tuple(_GRADES)}[features]


def _number(note: Note, name: str) -> float:
    if name == "type_suspicion":
        return max((_suspicion().get(token, np.nan) for token in note.morphology), default=np.nan)
    value = getattr(note, name)
    # Assessment 0 means incomplete, not lowest: it has a word of its own and no place on the scale.
    return np.nan if value is None or (name == "assessment" and value == 0) else float(value)


@cache
def _suspicion() -> dict[str, int]:
    return {rule.token: _SUSPICION[rule.suspicion] for rule in read_mapping().rules}


def _descriptor(name: str) -> str:
    for grade in (*_GRADES, "view"):
        if name.startswith(f"{grade}_") or name == grade:
            return grade
    if name == "type_suspicion":
        return "type"
    kinds = {"distribution" if w in (*DISTRIBUTION, NO_DISTRIBUTION) else "type" for w in name.split()}
    return "type + distribution" if len(kinds) == 2 else kinds.pop()
