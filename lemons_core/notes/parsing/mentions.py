"""The phrases of a text: longest first, plurals and small slips mended, numbers behind their name."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lemons_core.notes.parsing.lexicon import Entry, read_lexicon, read_vocabulary
from lemons_core.notes.parsing.spelling import nearest, singular
from lemons_core.notes.text import FIELD_WORDS, GRADES

_TOKEN = re.compile(r"ca\+\+|[^\W\d_]+|\d+(?:\.\d+)?|[.,;:()\n?!]", re.IGNORECASE)
_NUMBERS = {word: value for value, word in enumerate(("zero", "one", "two", "three", "four", "five", "six"))} | {
    "i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "iva": 4, "ivb": 4, "ivc": 4, "vi": 6,
}  # fmt: skip
_LINKS = {":", "is", "of", "category", "cat", "assessment", "score", "code", "grade", "type", "final", "class"}
_LETTERS_OF_4 = ("a", "b", "c")


@dataclass(frozen=True)
class Mention:
    """What one stretch of the text was read as.

    start, end : position in the text, text[start:end]
    field, value : part of the note and its value, as in text.Note; "" and "" for words that were not understood
    negated : stated to be absent
    rank : 2 a number with its name, 1 words, 0 words without a degree ("dense"); the higher rank decides
    """

    start: int
    end: int
    text: str
    field: str = ""
    value: str = ""
    negated: bool = False
    rank: int = 1


@dataclass
class Phrases:
    """The phrases of a text in their order.

    roles : of every phrase, as negation.negated_positions takes them
    mentions : descriptors, each with the position of its phrase in `roles`
    unknown : words that were not understood
    proof : a phrase shows that the text is about mammograms
    """

    roles: list[str] = field(default_factory=list)
    mentions: list[tuple[int, Mention]] = field(default_factory=list)
    unknown: list[Mention] = field(default_factory=list)
    proof: bool = False


@dataclass(frozen=True)
class _Token:
    start: int
    end: int
    word: str  # lower case, singular, spelling mended where the lexicon knows better
    raw: str


def read_phrases(text: str) -> Phrases:
    """Longest phrases from left to right."""
    tokens = list(_tokens(text))
    found = Phrases()
    i = 0
    while i < len(tokens):
        if not tokens[i].word[0].isalnum():
            found.roles.append("comma" if tokens[i].word == "," else "stop")
            i += 1
        else:
            i = _read_phrase(found, text, tokens, i)
    return found


def _tokens(text: str) -> Iterator[_Token]:
    known, targets = read_vocabulary()
    mended: dict[str, str] = {}
    for match in _TOKEN.finditer(text):
        raw = match.group()
        plain = unicodedata.normalize("NFKC", raw).lower()
        if plain not in mended:
            mended[plain] = singular(plain, known) or nearest(plain, targets) or plain
        yield _Token(match.start(), match.end(), mended[plain], raw)


def _read_phrase(found: Phrases, text: str, tokens: Sequence[_Token], i: int) -> int:
    """Add the phrase that starts at token i; returns the token behind it."""
    entries, end = _longest(tokens, i)
    bare = _is_bare_category(tokens, i)
    if bare:
        entries, end = (Entry("assessment", "4", True),), i + 2
    role = "word"
    for entry in entries:
        if entry.field in FIELD_WORDS:
            value, stop, rank = _value(entry, tokens, end)
            if not value:  # a name without its number says nothing
                continue
            end, role = stop, "descriptor"
            start, until = tokens[i].start, tokens[stop - 1].end
            mention = Mention(start, until, text[start:until], entry.field, value, rank=2 if bare else rank)
            found.mentions.append((len(found.roles), mention))
        elif entry.field != "filler":
            role = entry.value if entry.field == "negation" else entry.field
        found.proof = found.proof or entry.proof
    if not entries and tokens[i].word[0].isalpha():
        role = "unknown"
        found.unknown.append(Mention(tokens[i].start, tokens[i].end, tokens[i].raw))
    found.roles.append(role)
    return end


def _longest(tokens: Sequence[_Token], i: int) -> tuple[tuple[Entry, ...], int]:
    """Entries of the longest phrase that starts at token i, and the token behind it.

    A type may be written with a comma inside ("linear, branching"); no other phrase crosses one.
    """
    phrases, longest = read_lexicon()
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


def _is_bare_category(tokens: Sequence[_Token], i: int) -> bool:
    """4A, 4B or 4C without its name: only when figure and letter touch."""
    if tokens[i].word != "4" or i + 1 >= len(tokens):
        return False
    return tokens[i + 1].word in _LETTERS_OF_4 and tokens[i + 1].start == tokens[i].end


def _value(entry: Entry, tokens: Sequence[_Token], end: int) -> tuple[str, int, int]:
    """The value of a descriptor whose phrase ends before token `end`, the token behind the value, and its rank."""
    if entry.value == "#":
        return *_number(tokens, end, entry.field), 2
    value = entry.value.removesuffix(" weak")
    return value, end, int(value == entry.value)


def _number(tokens: Sequence[_Token], i: int, name: str) -> tuple[str, int]:
    """The value behind a name ("BI-RADS category: 4C"), and the token behind it; "" when there is none."""
    links = 0
    while i < len(tokens) and tokens[i].word in _LINKS and links < 3:
        i, links = i + 1, links + 1
    if i >= len(tokens):
        return "", i
    word = tokens[i].word
    if name == "breast_density" and word in ("a", "b", "c", "d"):
        return ("", i) if _is_article(tokens, i) else (str("abcd".index(word) + 1), i + 1)
    value = int(word) if word.isdecimal() and len(word) == 1 else _NUMBERS.get(word, -1)
    if value not in GRADES[name]:
        return "", i
    return str(value), i + 1 + _has_suffix(tokens, i, name, value)


def _is_article(tokens: Sequence[_Token], i: int) -> bool:
    """In "density a few mm wide" it is one; "density A" and "density a." give a grade."""
    if tokens[i].word != "a" or tokens[i].raw == "A":
        return False
    return i + 1 < len(tokens) and tokens[i + 1].word[0].isalnum()


def _has_suffix(tokens: Sequence[_Token], i: int, name: str, value: int) -> bool:
    """Whether the token behind a number belongs to it: the letter of "4C", the 5 of "3/5"."""
    if i + 1 >= len(tokens):
        return False
    after, gap = tokens[i + 1], tokens[i + 1].start - tokens[i].end
    if name == "assessment" and value == 4 and after.word in _LETTERS_OF_4:
        return gap == 0 or (gap == 1 and after.raw.isupper())
    return name == "subtlety" and after.word == "5" and gap == 1
