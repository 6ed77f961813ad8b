"""How far a "no" reaches: rules of thumb of the NegEx family, for sentences about calcifications.

Source: Chapman et al. 2001, doi:10.1006/jbin.2001.1029; the comma rules are our own.
"""

from collections.abc import Sequence

_BARRIERS = ("stop", "end", "long", "short")


def negated_positions(roles: Sequence[str]) -> set[int]:
    """Positions of the descriptors that the text states to be absent.

    roles : of the phrases of a sentence, in order: descriptor, noun, word, unknown, comma, stop (other punctuation),
        end (but, however), or, and, long (no, without), short (not, non-), negation_after (not seen)
    """
    negated: set[int] = set()
    for i, role in enumerate(roles):
        if role in ("long", "short"):
            negated |= _forward(roles, i)
        elif role == "negation_after":
            negated |= _backward(roles, i)
    return negated


def _forward(roles: Sequence[str], i: int) -> set[int]:
    """From a "no" to where its object ends.

    "no pleomorphic, linear or branching calcifications" reaches the noun through every comma; "no mass, grouped
    calcifications" ends at the comma behind its noun, unless an "or" or another bare noun carries the list on.
    """
    negated: set[int] = set()
    complete = False  # the object of the negation has been named
    for j in range(i + 1, len(roles)):
        role = roles[j]
        if role in _BARRIERS or (complete and _ends_list(roles, j)):
            break
        if role == "comma" and roles[i] == "short" and negated:
            break
        if role == "descriptor":
            negated.add(j)
        complete = complete or role == "noun" or (role == "unknown" and not negated)
    return negated


def _ends_list(roles: Sequence[str], j: int) -> bool:
    """An "and", or a comma with a descriptor of something else behind it rather than one more bare noun or an "or"."""
    marks = (role for role in roles[j + 1 :] if role in ("or", "comma", "stop", "end", "descriptor"))
    return roles[j] == "and" or (roles[j] == "comma" and next(marks, "end") == "descriptor")


def _backward(roles: Sequence[str], i: int) -> set[int]:
    """From a "not seen" back to the start of its subject."""
    negated: set[int] = set()
    for j in range(i - 1, -1, -1):
        role = roles[j]
        if role in (*_BARRIERS, "negation_after"):
            break
        if role in ("comma", "and") and j and roles[j - 1] != "descriptor":
            break
        if role == "descriptor":
            negated.add(j)
    return negated
