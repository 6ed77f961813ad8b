"""Simulated case descriptions: invented patients, their lesions, and the rows of the four files.

No row is taken from the collection.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeVar

import numpy as np

from lemons_core.simulate.demo.lesions import DrawnLesion, calc_lesions, mass_lesion
from lemons_core.simulate.demo.published import (
    CALC_PATIENTS,
    DENSITY,
    INVALID_DENSITY,
    PATHOLOGY_DISAGREES,
    ROWS,
    SHARED_ACROSS,
    TYPE_DISAGREES,
)

T = TypeVar("T")
K = TypeVar("K")


@dataclass(frozen=True)
class DemoRow:
    """One abnormality in one view; empty text is written as missing.

    kind : "calc" or "mass"; split : "train" or "test"; side : "LEFT" or "RIGHT"; view : "CC" or "MLO"
    what, how : calc type and distribution, or mass shape and margins
    """

    kind: str
    split: str
    patient: str
    density: int
    side: str
    view: str
    number: int
    what: str
    how: str
    assessment: int
    pathology: str
    subtlety: int

    @property
    def view_case(self) -> str:
        """Name of the full view's case folder."""
        part = {"train": "Training", "test": "Test"}[self.split]
        return f"{self.kind.capitalize()}-{part}_{self.patient}_{self.side}_{self.view}"

    @property
    def region_case(self) -> str:
        """Name of the case folder of crop and mask."""
        return f"{self.view_case}_{self.number}"


def simulate_rows(seed: int) -> list[DemoRow]:
    """Invent the rows of all four files, sorted by patient; the same seed gives the same rows."""
    rng = np.random.default_rng([seed, 1])
    calc = calc_lesions(rng)
    numbers = rng.permutation(np.arange(1, 2800))
    calc_people = _share_out(calc, CALC_PATIENTS, rng)
    calc_test = _pick_exactly([sum(x.rows for x in own) for own in calc_people], ROWS["calc_test"], rng)
    names = [f"P_{n:05d}" for n in numbers[:CALC_PATIENTS]]
    density = dict(zip(names, _density(calc_people, rng), strict=True))
    split = {name: "test" if k in calc_test else "train" for k, name in enumerate(names)}
    rows: list[DemoRow] = []
    for name, own in zip(names, calc_people, strict=True):
        rows += _rows("calc", split[name], name, density[name], own, rng)
    rows = _disagree(rows, rng)
    rows = _spell(rows, rng)
    for part in ("train", "test"):
        rows += _masses(part, rows, split, density, numbers, rng)
    return sorted(rows, key=lambda r: (r.kind, r.split != "train", r.patient, r.side, r.view, r.number))


def _share_out(lesions: Sequence[DrawnLesion], people: int, rng: np.random.Generator) -> list[list[DrawnLesion]]:
    """Give every patient one lesion and the rest to few."""
    out = [[x] for x in lesions[:people]]
    weight = rng.gamma(0.4, size=people)
    for x, i in zip(lesions[people:], rng.choice(people, len(lesions) - people, p=weight / weight.sum()), strict=True):
        out[i].append(x)
    return out


def _pick_exactly(sizes: list[int], total: int, rng: np.random.Generator) -> set[int]:
    """A random choice of patients whose rows add up to exactly `total`."""
    chosen: set[int] = set()
    for i in rng.permutation(len(sizes)):
        if sizes[i] <= total:
            chosen.add(int(i))
            total -= sizes[i]
    return chosen


def _density(people: list[list[DrawnLesion]], rng: np.random.Generator) -> list[int]:
    """Breast density of each patient, with the published number of rows of each, and 0 for two rows."""
    out = [0] * len(people)
    left = dict(DENSITY)
    invalid = INVALID_DENSITY
    for i in rng.permutation(len(people)):
        n = sum(x.rows for x in people[i])
        if n == invalid:
            invalid = 0
            continue  # stays 0: the value that the real files hold by mistake
        out[i] = max(left, key=lambda d: left[d])
        if rng.random() < 0.8:
            weights = np.clip(list(left.values()), 0.01, None)
            out[i] = int(rng.choice(list(left), p=weights / weights.sum()))
        left[out[i]] -= n
    return out


def _rows(
    kind: str, split: str, patient: str, density: int, lesions: list[DrawnLesion], rng: np.random.Generator
) -> list[DemoRow]:
    """The rows of one patient. Further lesions mostly lie in the same breast, and so share its pictures."""
    home = str(rng.choice(["LEFT", "RIGHT"]))
    other = {"LEFT": "RIGHT", "RIGHT": "LEFT"}[home]
    count = {"LEFT": 0, "RIGHT": 0}
    out = []
    for x in lesions:
        side = home if count[home] == 0 or rng.random() < 0.75 else other
        count[side] += 1
        views = ["CC", "MLO"] if x.rows == 2 else [str(rng.choice(["CC", "MLO"], p=[0.38, 0.62]))]
        for view in views:
            number, written = count[side], (x.what, x.how, x.assessment, x.pathology, x.subtlety)
            out.append(DemoRow(kind, split, patient, density, side, view, number, *written))
    return out


def _disagree(rows: list[DemoRow], rng: np.random.Generator) -> list[DemoRow]:
    """Let the views of some lesions disagree: in kind, exchanged with a lesion of equal pathology, or in pathology."""
    rows = list(rows)
    pairs = _view_pairs(rows)
    pairs = [pairs[i] for i in rng.permutation(len(pairs))]
    taken: set[int] = set()
    for a, (_, i) in enumerate(pairs):
        if a in taken or len(taken) >= TYPE_DISAGREES:
            continue
        for b, (_, j) in enumerate(pairs[a + 1 :], start=a + 1):
            if b not in taken and _may_exchange(rows[i], rows[j]):
                rows[i], rows[j] = replace(rows[i], what=rows[j].what), replace(rows[j], what=rows[i].what)
                taken |= {a, b}
                break
    benign = [j for k, (_, j) in enumerate(pairs) if k not in taken and rows[j].pathology == "BENIGN"]
    for j in benign[:PATHOLOGY_DISAGREES]:
        rows[j] = replace(rows[j], pathology="BENIGN_WITHOUT_CALLBACK")
    return rows


def _view_pairs(rows: list[DemoRow]) -> list[list[int]]:
    """The two rows of each lesion that is seen in both views, by their index."""
    seen = grouped(range(len(rows)), lambda i: (rows[i].patient, rows[i].side, rows[i].number))
    return [own for _, own in sorted(seen.items()) if len(own) == 2]


def grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """The items of each key, in their order."""
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _may_exchange(one: DemoRow, other: DemoRow) -> bool:
    """Whether two rows differ in what is named, and in nothing that goes with it."""
    same = one.pathology == other.pathology and one.assessment == other.assessment
    return bool(one.what and one.how and other.what and other.how and same and one.what != other.what)


def _spell(rows: list[DemoRow], rng: np.random.Generator) -> list[DemoRow]:
    """Both spellings of lucent-centred occur; the two views of a lesion share theirs."""
    chosen = {key: rng.random() < 0.17 for key in sorted({(r.patient, r.side, r.number) for r in rows})}
    return [
        replace(r, what=r.what.replace("LUCENT_CENTER", "LUCENT_CENTERED"))
        if chosen[r.patient, r.side, r.number]
        else r
        for r in rows
    ]


def _masses(
    part: str,
    so_far: list[DemoRow],
    calc_split: dict[str, str],
    density: dict[str, int],
    numbers: np.ndarray,
    rng: np.random.Generator,
) -> list[DemoRow]:
    """Rows of one mass file. Some patients have calcifications too, a few of them in the other split."""
    crossing = {"train": 11, "test": SHARED_ACROSS - 11}[part]
    same = {"train": 70, "test": 12}[part]
    in_other = {r.patient for r in so_far if r.kind == "mass"}
    known = grouped((p for p in calc_split if p not in in_other), lambda p: calc_split[p] == part)  # by: in this split
    start = CALC_PATIENTS + (0 if part == "train" else 1000)
    new = (f"P_{n:05d}" for n in numbers[start : start + 1000])
    patients = chain(known[False][:crossing], known[True][:same], new)
    out: list[DemoRow] = []
    while len(out) < ROWS[f"mass_{part}"]:
        patient = next(patients)
        lesions = [mass_lesion(rng) for _ in range(1 + (rng.random() < 0.08))]
        grade = density.get(patient) or int(rng.choice([1, 2, 3, 4], p=[0.2, 0.44, 0.27, 0.09]))
        out += _rows("mass", part, patient, grade, lesions, rng)
    return out[: ROWS[f"mass_{part}"]]
