"""Which rows of the simulated collection get pictures, and which of these carry a fault on purpose."""

from dataclasses import dataclass

import numpy as np

from lemons_core.base.terms import MORPHOLOGY_TWINS
from lemons_core.labels.mapping import read_mapping
from lemons_core.simulate.demo.casetable import DemoRow, grouped

PREFIX_LOST = "prefix lost"
MASK_RESIZED = "mask resized"
SAME_FILE = "crop and mask named alike"
_WHEEL = ("micro", "amorphous", "macro", "micro", "vascular")  # whose turn it is to get a picture


@dataclass(frozen=True)
class Shot:
    """One view to be drawn: its rows, the seed of its picture, and the fault that the first row's files carry or ""."""

    rows: tuple[DemoRow, ...]
    seed: int
    trap: str


def choose_shots(rows: list[DemoRow], images: int, seed: int) -> list[Shot]:
    """Choose the views to draw: every group in both splits, pathology as it comes, lesions in both views."""
    rng = np.random.default_rng([seed, 2])
    calc = [r for r in rows if r.kind == "calc"]
    views = grouped(calc, lambda r: (r.patient, r.side, r.view))
    lesions = grouped(calc, lambda r: (r.patient, r.side, r.number))
    # A view with many abnormalities would crowd the picture; one without a kind cannot be drawn.
    fit = {key for key, own in views.items() if len(own) <= 2 and all(r.what for r in own)}
    drawable = [lesions[key] for key in sorted(lesions) if {(r.patient, r.side, r.view) for r in lesions[key]} <= fit]
    pools = grouped(drawable, lambda own: (group_of(own[0].what), own[0].split))
    pools = {name: [pool[i] for i in rng.permutation(len(pool))] for name, pool in pools.items()}
    chosen: set[tuple[str, str, str]] = set()
    turn = 0
    while sum(len(views[key]) for key in chosen) < images and any(pools.values()):
        pool = pools.get((_WHEEL[turn % len(_WHEEL)], "test" if turn % 4 == 1 else "train"))
        turn += 1
        if pool:
            chosen.update((r.patient, r.side, r.view) for r in pool.pop())
    return _with_traps([tuple(views[key]) for key in sorted(chosen)], rng)


def _with_traps(views: list[tuple[DemoRow, ...]], rng: np.random.Generator) -> list[Shot]:
    """Hand each single fault to the first region that can carry it."""
    open_traps = {PREFIX_LOST: ("test",), SAME_FILE: ("train",), MASK_RESIZED: ("train", "test")}
    shots = []
    for own in views:
        trap = next((name for name, splits in open_traps.items() if own[0].split in splits), "")
        open_traps.pop(trap, None)
        shots.append(Shot(own, int(rng.integers(0, 2**62)), trap))
    return shots


def group_of(what: str) -> str:
    """The group that a picture is chosen for; vascular and amorphous first, for they are rare."""
    groups = read_mapping().label([MORPHOLOGY_TWINS.get(token, token) for token in what.split("-")]).groups
    return next(name for name in ("vascular", "amorphous", "micro", "macro") if name in groups)
