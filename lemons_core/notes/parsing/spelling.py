"""Plurals and small slips of the pen, with care: a wrong correction is worse than a word not understood."""

from collections.abc import Collection, Mapping

_LONGEST = 24  # longer strings are no words; they are left alone, which also bounds the time


def singular(word: str, known: Collection[str]) -> str | None:
    """The known word of which this is the plural, or the word itself when it is known; else None."""
    forms = [word]
    if word.endswith("s") and len(word) > 3:
        forms = [word[:-1], word]
        if word.endswith("es"):
            forms.insert(0, word[:-3] + "y" if word.endswith("ies") else word[:-2])
    return next((form for form in forms if form in known), None)


def nearest(word: str, targets: Mapping[str, object]) -> str | None:
    """The target word within a small slip, else None.

    Words of 6 letters allow one slip (a letter wrong, missing, added, or two swapped), of 9 letters two; the first
    letter must be right, and a tie between words of different meaning is not decided.

    targets : word to its meaning
    """
    if not 6 <= len(word) <= _LONGEST:
        return None
    best: dict[int, list[str]] = {}
    for target in targets:
        letters = min(len(word), len(target))
        allowed = 0 if letters < 6 else 1 if letters < 9 else 2
        if allowed and target[0] == word[0] and abs(len(target) - len(word)) <= allowed + 1:
            # the plural of a slip ("calcifcations") is measured against the plural too
            distance = min(slips(word, target), slips(word, target + "s"))
            if distance <= allowed:
                best.setdefault(distance, []).append(target)
    closest = best[min(best)] if best else []
    return closest[0] if closest and all(targets[other] == targets[closest[0]] for other in closest) else None


def slips(a: str, b: str) -> int:
    """Letters changed, added, left out, or neighbours swapped, to get from a to b.

    Source: optimal string alignment distance, Damerau 1964, doi:10.1145/363958.363994.
    """
    before, row = list(range(len(b) + 1)), list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        older, before, row = before, row, [i]
        for j, y in enumerate(b, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]
