"""Which rows of the simulated collection get pictures, and which of these carry a fault on purpose."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from lemons_core.simulate.demo.casetable import DemoRow

PREFIX_LOST = "prefix lost"
MASK_RESIZED = "mask resized"
SAME_FILE = "crop and mask named alike"
_WHEEL = ("micro", "amorphous", "macro", "micro", "vascular")  # whose turn it is to get a picture

_View = tuple[str, str, str]  # patient, side, view
_Lesion = tuple[str, str, int]  # patient, side, number
T = TypeVar("T")
K = TypeVar("K")


@dataclass(frozen=True)
class Shot:
    """One view to be drawn: its rows, and the seed of its picture."""

    rows: tuple[DemoRow, ...]
    seed: int
    traps: tuple[tuple[int, str], ...]  # abnormality number and the fault that its files carry


def choose_shots(rows: list[DemoRow], images: int, seed: int) -> list[Shot]:
    """Choose the views to draw: every group in both splits, pathology as it comes, lesions in both views."""
    rng = np.random.default_rng([seed, 2])
    calc = [r for r in rows if r.kind == "calc"]
    views = _grouped(calc, lambda r: (r.patient, r.side, r.view))
    lesions = _grouped(calc, lambda r: (r.patient, r.side, r.number))
    drawable = _drawable(views, lesions)
    pools = _grouped(drawable, lambda own: (group_of(own[0].what), own[0].split))
    pools = {name: [pool[i] for i in rng.permutation(len(pool))] for name, pool in pools.items()}
    chosen: set[_View] = set()
    turn = 0
    while sum(len(views[key]) for key in chosen) < images and any(pools.values()):
        pool = pools.get((_WHEEL[turn % len(_WHEEL)], "test" if turn % 4 == 1 else "train"))
        turn += 1
        if pool:
            chosen.update((r.patient, r.side, r.view) for r in pool.pop())
    return _with_traps([tuple(views[key]) for key in sorted(chosen)], rng)


def _drawable(views: dict[_View, list[DemoRow]], lesions: dict[_Lesion, list[DemoRow]]) -> list[list[DemoRow]]:
    """The rows of each lesion, sorted by patient, whose views can all be drawn."""
    # A view with many abnormalities would crowd the picture; one without a kind cannot be drawn.
    fit = {key for key, own in views.items() if len(own) <= 2 and all(r.what for r in own)}
    return [lesions[key] for key in sorted(lesions) if {(r.patient, r.side, r.view) for r in lesions[key]} <= fit]


def _grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _with_traps(views: list[tuple[DemoRow, ...]], rng: np.random.Generator) -> list[Shot]:
    """Hand each single fault to the first region that can carry it."""
    open_traps = [
        (PREFIX_LOST, lambda r: r.split == "test"),
        (SAME_FILE, lambda r: r.split == "train"),
        (MASK_RESIZED, lambda r: True),
    ]
    shots = []
    for own in views:
        carried: list[tuple[int, str]] = []
        for name, fits in list(open_traps):
            if not carried and fits(own[0]):
                carried.append((own[0].number, name))
                open_traps = [t for t in open_traps if t[0] != name]
        shots.append(Shot(own, int(rng.integers(0, 2**62)), tuple(carried)))
    return shots


def group_of(what: str) -> str:
    """The group that a picture is chosen for; vascular and amorphous first, for they are rare."""
    tokens = set(what.replace("LUCENT_CENTERED", "LUCENT_CENTER").split("-"))
    for name, own in (
        ("vascular", {"VASCULAR"}),
        ("amorphous", {"AMORPHOUS"}),
        ("micro", {"PLEOMORPHIC", "PUNCTATE", "FINE_LINEAR_BRANCHING"}),
    ):
        if tokens & own:
            return name
    return "macro"
