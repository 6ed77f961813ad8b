"""The lexicon of lexicon.csv: phrases, what each is read as, and the words that they are made of."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lemons_core.base.terms import DISTRIBUTION, MORPHOLOGY, MORPHOLOGY_TWINS
from lemons_core.notes.parsing.spelling import singular
from lemons_core.notes.text import FIELD_WORDS

LEXICON = Path(__file__).parent / "lexicon.csv"


@dataclass(frozen=True)
class Entry:
    """One meaning of a phrase.

    field : one of text.FIELD_WORDS, or the role in the sentence: noun, filler, negation, negation_after, end, or, and
    value : a token or grade; "#" when a number follows; "3 weak" for words that leave the grade open
    proof : the phrase alone shows that the text is about mammograms
    """

    field: str
    value: str
    proof: bool


@cache
def read_lexicon() -> tuple[dict[tuple[str, ...], tuple[Entry, ...]], int]:
    """Phrase (as words in the singular) to its entries, and the length of the longest phrase."""
    rows: list[tuple[list[str], Entry]] = []
    with LEXICON.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            entry = Entry(row["field"], row["value"], row["proof"] == "yes")
            rows += [(phrase.split(), entry) for phrase in row["phrases"].split("|")]
    for token in (*MORPHOLOGY, *DISTRIBUTION, *MORPHOLOGY_TWINS):  # the collection's own spelling is always understood
        field = "distribution" if token in DISTRIBUTION else "morphology"
        rows.append((token.lower().split("_"), Entry(field, MORPHOLOGY_TWINS.get(token, token), False)))
    words = {word for phrase, _ in rows for word in phrase}
    phrases: dict[tuple[str, ...], tuple[Entry, ...]] = {}
    for phrase, entry in rows:
        key = tuple(singular(word, words) or word for word in phrase)
        if entry.field not in [known.field for known in phrases.get(key, ())]:
            phrases[key] = (*phrases.get(key, ()), entry)
    return phrases, max(map(len, phrases))


@cache
def read_vocabulary() -> tuple[frozenset[str], dict[str, frozenset[str]]]:
    """Every known word, and those that a slip of the pen may have meant (descriptors, nouns) with their meaning."""
    phrases, _ = read_lexicon()
    meaning: dict[str, set[str]] = {"distribution": {"filler"}}
    for phrase, entries in phrases.items():
        for word in phrase if entries[0].field in (*FIELD_WORDS, "noun") else ():
            meaning.setdefault(word, set()).update(e.value or e.field for e in entries)
    known = frozenset(word for phrase in phrases for word in phrase)
    # "cluster" and "clustered" mean the same: a word has the meaning that it has alone, else that of its phrases
    targets = {}
    for word, of_phrases in meaning.items():
        own = phrases.get((word,))
        targets[word] = frozenset(e.value or e.field for e in own) if own else frozenset(of_phrases)
    return known, targets
