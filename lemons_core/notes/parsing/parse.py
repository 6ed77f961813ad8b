"""A sentence as a radiologist writes it, read into a note, word by word, with every reading shown.

The vocabulary is lexicon.csv; this module only knows how words combine: longest phrase first, plurals, small slips of
the pen, numbers behind their name, and how far a negation reaches.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from lemons_core.base.errors import DataError
from lemons_core.base.terms import DISPLAY, DISTRIBUTION, MORPHOLOGY
from lemons_core.notes.parsing.lexicon import DESCRIPTORS, Entry, read_lexicon, read_vocabulary
from lemons_core.notes.parsing.negation import Item, negated_items
from lemons_core.notes.parsing.spelling import nearest, singular
from lemons_core.notes.text import Note, _in_order

MAX_CHARS = 20_000  # ten pages; more is a file that went astray, not a note

_TOKEN = re.compile(r"ca\+\+|[^\W\d_]+|\d+(?:\.\d+)?|[.,;:()\n?!]", re.IGNORECASE)
_NAMES = {"breast_density": "breast density", "laterality": "side", "assessment": "BI-RADS category"}
_NUMBERS = dict(zip(("zero", "one", "two", "three", "four", "five", "six"), range(7), strict=True))
_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "iva": 4, "ivb": 4, "ivc": 4, "vi": 6}
_LINKS = {":", "is", "of", "category", "cat", "assessment", "score", "code", "grade", "type", "final", "class"}
_LIMITS = {"breast_density": (1, 4), "subtlety": (1, 5), "assessment": (0, 5)}


@dataclass(frozen=True)
class Reading:
    """What one stretch of the text was read as.

    start, end : place in the text, text[start:end]
    field, value : part of the note and its value, as in text.Note; "" and "" for words that were not understood
    negated : said to be absent
    rank : 2 a number with its name, 1 words, 0 words without a degree ("dense"); the higher rank decides
    """

    start: int
    end: int
    text: str
    field: str = ""
    value: str = ""
    negated: bool = False
    rank: int = 1


@dataclass(frozen=True)
class Parsed:
    """A text read as a note.

    note : what is said to be present; None when the text is about something else or describes nothing
    readings : descriptors found, negated ones too, in the order of the text
    unknown : words that were not understood
    cautions : sentences to show beside the result
    """

    text: str
    note: Note | None
    readings: tuple[Reading, ...]
    unknown: tuple[Reading, ...]
    cautions: tuple[str, ...]


@dataclass(frozen=True)
class _Token:
    start: int
    end: int
    word: str  # lower case, singular, spelling mended where the lexicon knows better
    raw: str


def parse_note(text: str) -> Parsed:
    """Read a free-text note.

    Parameters
    ----------
    text : up to 20,000 characters; markup and formulas are only characters, nothing in it is ever run

    Raises
    ------
    DataError : not text, empty, or too long
    """
    if not isinstance(text, str) or not text.strip():
        raise DataError("The note is empty", todo='Write a finding, such as "grouped amorphous calcifications".')
    if len(text) > MAX_CHARS:
        todo = "Paste the sentences about the finding only."
        raise DataError(f"The note is too long: {len(text):,} characters, {MAX_CHARS:,} at most", todo=todo)
    tokens = list(_tokens(text))
    items, readings, unknown, proof = _read(text, tokens)
    negated = negated_items(items)
    # "no calcification in the left breast" denies the calcification, not the side
    stays = ("view", "laterality")
    found = tuple(replace(r, negated=place in negated and r.field not in stays) for place, r in readings)
    if not found or (unknown and not proof):
        return Parsed(text, None, (), tuple(unknown), ("Nothing was understood: this does not read as a finding.",))
    note, cautions = _combine([r for r in found if not r.negated])
    if not (note.morphology or note.distribution or note.assessment is not None):
        cautions.append("No type, distribution or BI-RADS category is said to be present, so there is no probability.")
        return Parsed(text, None, found, tuple(unknown), tuple(cautions))
    return Parsed(text, note, found, tuple(unknown), tuple(cautions))


def _tokens(text: str) -> Iterator[_Token]:
    known, targets = read_vocabulary()
    mended: dict[str, str] = {}
    for match in _TOKEN.finditer(text):
        raw = match.group()
        plain = unicodedata.normalize("NFKC", raw).lower()
        if plain not in mended:
            mended[plain] = singular(plain, known) or nearest(plain, targets) or plain
        yield _Token(match.start(), match.end(), mended[plain], raw)


def _read(text: str, tokens: Sequence[_Token]) -> tuple[list[Item], list[tuple[int, Reading]], list[Reading], bool]:
    """Longest phrases from left to right: items for the negation, readings by item, unknown words, proof of subject."""
    phrases, longest = read_lexicon()
    items: list[Item] = []
    readings: list[tuple[int, Reading]] = []
    unknown: list[Reading] = []
    proof = False
    i = 0
    while i < len(tokens):
        token = tokens[i]
        if not token.word[0].isalnum():
            items.append(Item("comma" if token.word == "," else "stop"))
            i += 1
            continue
        entries, end = _longest(tokens, i, phrases, longest)
        bare = _bare_category(tokens, i)
        if bare:
            entries, end = (Entry("assessment", "4", True),), i + 2
        place = len(items)
        kind = "word"
        for entry in entries:
            if entry.field in DESCRIPTORS:
                value, stop, rank = entry.value.removesuffix(" weak"), end, 0 if entry.value.endswith("weak") else 1
                if entry.value == "#":
                    value, stop = _number(tokens, end, entry.field)
                    rank = 2
                if not value:  # a name without its number says nothing
                    continue
                end, kind = stop, "descriptor"
                start, until = token.start, tokens[stop - 1].end
                reading = Reading(start, until, text[start:until], entry.field, value, rank=2 if bare else rank)
                readings.append((place, reading))
            elif entry.field != "filler":
                kind = entry.value if entry.field == "negation" else entry.field
            proof = proof or entry.proof
        if not entries and token.word[0].isalpha():
            kind = "unknown"
            unknown.append(Reading(token.start, token.end, token.raw))
        items.append(Item(kind))
        i = end
    return items, readings, unknown, proof


def _longest(
    tokens: Sequence[_Token], i: int, phrases: dict[tuple[str, ...], tuple[Entry, ...]], longest: int
) -> tuple[tuple[Entry, ...], int]:
    """Entries of the longest phrase that starts at token i, and the token behind it.

    A type may be written with a comma inside ("linear, branching"); no other phrase crosses one.
    """
    words: list[str] = []
    best: tuple[tuple[Entry, ...], int] = ((), i + 1)
    comma = False
    for j in range(i, min(i + 2 * longest, len(tokens))):
        if tokens[j].word == "," and words and not comma:
            comma = True
            continue
        if not tokens[j].word[0].isalnum() or len(words) == longest:
            break
        words.append(tokens[j].word)
        entries = phrases.get(tuple(words), ())
        if entries and (not comma or entries[0].field == "morphology"):
            best = entries, j + 1
    return best


def _bare_category(tokens: Sequence[_Token], i: int) -> bool:
    """4A, 4B or 4C without its name: only when figure and letter touch."""
    if tokens[i].word != "4" or i + 1 >= len(tokens):
        return False
    return tokens[i + 1].word in ("a", "b", "c") and tokens[i + 1].start == tokens[i].end


def _number(tokens: Sequence[_Token], i: int, field: str) -> tuple[str, int]:
    """The value behind a name ("BI-RADS category: 4C"), and the token behind it; "" when there is none."""
    low, high = _LIMITS[field]
    links = 0
    while i < len(tokens) and tokens[i].word in _LINKS and links < 3:
        i, links = i + 1, links + 1
    if i >= len(tokens):
        return "", i
    word, after = tokens[i].word, tokens[i + 1] if i + 1 < len(tokens) else None
    if field == "breast_density" and word in ("a", "b", "c", "d"):
        # "density a few mm wide" is an article, "density A" or "density a." is a grade
        if word == "a" and tokens[i].raw != "A" and after is not None and after.word[0].isalnum():
            return "", i
        return str("abcd".index(word) + 1), i + 1
    value = int(word) if word.isdecimal() and len(word) == 1 else _NUMBERS.get(word, _ROMAN.get(word, -1))
    if not low <= value <= high:
        return "", i
    end = i + 1
    if field == "assessment" and value == 4 and after is not None and after.word in ("a", "b", "c"):
        end += after.start <= tokens[i].end + 1 and (after.raw.isupper() or after.start == tokens[i].end)
    if field == "subtlety" and after is not None and after.word == "5" and after.start == tokens[i].end + 1:
        end += 1  # "3/5"
    return str(value), end


def _combine(readings: Sequence[Reading]) -> tuple[Note, list[str]]:
    """One note from what is present; where the text contradicts itself, nothing is guessed and the reader is told."""
    cautions: list[str] = []
    tokens = {field: {r.value for r in readings if r.field == field} for field in ("morphology", "distribution")}
    single: dict[str, int | str] = {}
    for field, group in groupby(sorted(readings, key=lambda r: r.field), key=lambda r: r.field):
        if field in tokens:
            continue
        some = list(group)
        top = max(r.rank for r in some)
        values = sorted({r.value for r in some if r.rank == top})
        if len(values) == 1 or field == "assessment":
            value = values[-1]  # of several categories the highest counts, as in a report's overall category
            single[field] = int(value) if field in _LIMITS else value
        if len(values) > 1:
            said = " and ".join(DISPLAY.get(value, value) for value in values)
            chosen = f"the highest, {values[-1]}, is taken" if field in single else "it is left open"
            cautions.append(f"The text names {said} for the {_NAMES.get(field, field)}; {chosen}.")
    note = Note(
        _in_order(tokens["morphology"], MORPHOLOGY),
        _in_order(tokens["distribution"], DISTRIBUTION),
        **single,  # type: ignore[arg-type]
    )
    if any(r.field == "breast_density" and r.rank == 0 for r in readings) and note.breast_density == 3:
        cautions.append('"Dense" without a degree is read as density 3 (heterogeneously dense).')
    return note, cautions
