"""A sentence as a radiologist writes it, read into a note, word by word, with everything that was read.

The vocabulary is lexicon.csv; mentions.py finds its phrases, negation.py how far a "no" reaches, and here they become
one note.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from lemons_core.base.errors import DataError
from lemons_core.base.terms import DISPLAY, DISTRIBUTION, MORPHOLOGY
from lemons_core.notes.parsing.mentions import Mention, read_phrases
from lemons_core.notes.parsing.negation import negated_positions
from lemons_core.notes.text import FIELD_WORDS, GRADES, Note, ordered_tokens

MAX_CHARS = 20_000  # ten pages; more is a file that went astray, not a note


@dataclass(frozen=True)
class ParsedNote:
    """A text read as a note, or a note by choice in its own words.

    note : what is stated to be present; None when the text is about something else or describes nothing
    mentions : descriptors found, negated ones too, in the order of the text
    unknown : words that were not understood
    cautions : sentences to show beside the result
    """

    text: str
    note: Note | None
    mentions: tuple[Mention, ...] = ()
    unknown: tuple[Mention, ...] = ()
    cautions: tuple[str, ...] = ()


def parse_note(text: str) -> ParsedNote:
    """Read a free-text note.

    text : up to 20,000 characters; markup and formulas are only characters, nothing in it is ever run
    Raises DataError: not text, empty, or too long
    """
    if not isinstance(text, str) or not text.strip():
        raise DataError("The note is empty", todo='Write a finding, such as "grouped amorphous calcifications".')
    if len(text) > MAX_CHARS:
        todo = "Paste the sentences about the finding only."
        raise DataError(f"The note is too long: {len(text):,} characters, {MAX_CHARS:,} at most", todo=todo)
    phrases = read_phrases(text)
    negated, unknown = negated_positions(phrases.roles), tuple(phrases.unknown)
    # "no calcification in the left breast" denies the calcification, not the side
    stays = ("view", "laterality")
    mentions = tuple(replace(m, negated=at in negated and m.field not in stays) for at, m in phrases.mentions)
    if not mentions or (unknown and not phrases.proof):
        return ParsedNote(text, None, (), unknown, ("Nothing was understood: this does not read as a finding.",))
    note, cautions = _combine([mention for mention in mentions if not mention.negated])
    if not note.has_finding:
        cautions.append("No type, distribution or BI-RADS category is said to be present, so there is no probability.")
    return ParsedNote(text, note if note.has_finding else None, mentions, unknown, tuple(cautions))


def chosen_note(note: Note) -> ParsedNote:
    """A note by choice, which leaves nothing to read."""
    return ParsedNote(str(note), note)


def _combine(mentions: Sequence[Mention]) -> tuple[Note, list[str]]:
    """One note from what is present; where the text contradicts itself, nothing is guessed and a caution says so."""
    tokens = {name: {m.value for m in mentions if m.field == name} for name in ("morphology", "distribution")}
    single, cautions = _single_values([mention for mention in mentions if mention.field not in tokens])
    note = Note(
        ordered_tokens(tokens["morphology"], MORPHOLOGY),
        ordered_tokens(tokens["distribution"], DISTRIBUTION),
        **single,  # type: ignore[arg-type]
    )
    if any(m.field == "breast_density" and m.rank == 0 for m in mentions) and note.breast_density == 3:
        cautions.append('"Dense" without a degree is read as density 3 (heterogeneously dense).')
    return note, cautions


def _single_values(mentions: Sequence[Mention]) -> tuple[dict[str, int | str], list[str]]:
    """The fields that have one value each, and a caution for each that the text gives several."""
    found: dict[str, int | str] = {}
    cautions: list[str] = []
    for name, group in groupby(sorted(mentions, key=lambda m: m.field), key=lambda m: m.field):
        same = list(group)
        top = max(mention.rank for mention in same)
        values = sorted({mention.value for mention in same if mention.rank == top})
        if len(values) == 1 or name == "assessment":
            value = values[-1]  # of several categories the highest counts, as in a report's overall category
            found[name] = int(value) if name in GRADES else value
        if len(values) > 1:
            named = " and ".join(DISPLAY.get(value, value) for value in values)
            chosen = f"the highest, {values[-1]}, is taken" if name in found else "it is left open"
            cautions.append(f"The text names {named} for the {FIELD_WORDS[name]}; {chosen}.")
    return found, cautions
