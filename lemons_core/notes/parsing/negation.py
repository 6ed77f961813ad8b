"""How far a "no" reaches: rules of thumb of the NegEx family, for sentences about calcifications.

Source: Chapman et al. 2001, doi:10.1006/jbin.2001.1029; the comma rules are our own.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """One phrase of the sentence by its role.

    kind : descriptor, noun, word, unknown, comma, stop (other punctuation), end (but, however), or, and, long (no,
        without), short (not, non-), negation_after (not seen)
    """

    kind: str


def negated_items(items: Sequence[Item]) -> set[int]:
    """Positions of the descriptors that the text says are absent."""
    kinds = [item.kind for item in items]
    negated: set[int] = set()
    for i, kind in enumerate(kinds):
        if kind in ("long", "short"):
            negated |= _forward(kinds, i)
        elif kind == "negation_after":
            negated |= _backward(kinds, i)
    return negated


def _forward(kinds: Sequence[str], i: int) -> set[int]:
    """From a "no" to where its object ends.

    "no pleomorphic, linear or branching calcifications" reaches the noun through every comma; "no mass, grouped
    calcifications" ends at the comma behind its noun, unless an "or" or another bare noun carries the list on.
    """
    negated: set[int] = set()
    complete = False  # the object of the negation has been named
    for j in range(i + 1, len(kinds)):
        kind = kinds[j]
        if kind in ("stop", "end", "long", "short"):
            break
        if kind == "descriptor":
            negated.add(j)
        elif kind == "noun" or (kind == "unknown" and not negated):
            complete = True
        elif kind == "and" and complete:
            break
        elif kind == "comma":
            if kinds[i] == "short" and negated:
                break
            if complete and not _list_goes_on(kinds, j + 1):
                break
    return negated


def _list_goes_on(kinds: Sequence[str], start: int) -> bool:
    for kind in kinds[start:]:
        if kind == "or":
            return True
        if kind in ("comma", "stop", "end"):
            return True
        if kind == "descriptor":
            return False
    return True


def _backward(kinds: Sequence[str], i: int) -> set[int]:
    """From a "not seen" back to the start of its subject."""
    negated: set[int] = set()
    for j in range(i - 1, -1, -1):
        kind = kinds[j]
        if kind in ("stop", "end", "long", "short", "negation_after"):
            break
        if kind in ("comma", "and") and j and kinds[j - 1] != "descriptor":
            break
        if kind == "descriptor":
            negated.add(j)
    return negated
