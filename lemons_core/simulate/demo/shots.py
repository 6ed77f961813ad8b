"""Which rows of the simulated collection get pictures, and which of these carry a fault on purpose."""

from dataclasses import dataclass

import numpy as np

from lemons_core.simulate.demo.casetable import DemoRow

PREFIX_LOST = "prefix lost"
MASK_RESIZED = "mask resized"
SAME_FILE = "crop and mask named alike"


@dataclass(frozen=True)
class Shot:
    """One view to be drawn: its rows, and the seed of its picture."""

    rows: tuple[DemoRow, ...]
    seed: int
    traps: tuple[tuple[int, str], ...]  # abnormality number and the fault that its files carry


def choose_shots(rows: list[DemoRow], images: int, seed: int) -> list[Shot]:
    """Choose the views to draw: every group in both splits, pathology as it comes, lesions in both views."""
    rng = np.random.default_rng([seed, 2])
    views: dict[tuple[str, str, str], list[DemoRow]] = {}
    lesions: dict[tuple[str, str, int], list[DemoRow]] = {}
    for r in rows:
        if r.kind == "calc":
            views.setdefault((r.patient, r.side, r.view), []).append(r)
            lesions.setdefault((r.patient, r.side, r.number), []).append(r)
    # A view with many abnormalities would crowd the picture; one without a kind cannot be drawn.
    fit = {key for key, own in views.items() if len(own) <= 2 and all(r.what for r in own)}
    wheel = ["micro", "amorphous", "macro", "micro", "vascular"]
    pools: dict[tuple[str, str], list[tuple[str, str, int]]] = {}
    for key in sorted(lesions):
        own = lesions[key]
        if all((r.patient, r.side, r.view) in fit for r in own):
            pools.setdefault((group_of(own[0].what), own[0].split), []).append(key)
    pools = {name: [pool[i] for i in rng.permutation(len(pool))] for name, pool in pools.items()}
    chosen: dict[tuple[str, str, str], None] = {}
    drawn = turn = 0
    while drawn < images and any(pools.values()):
        pool = pools.get((wheel[turn % len(wheel)], "test" if turn % 4 == 1 else "train"), [])
        turn += 1
        for r in lesions[pool.pop()] if pool else ():
            if (r.patient, r.side, r.view) not in chosen:
                chosen[r.patient, r.side, r.view] = None
                drawn += len(views[r.patient, r.side, r.view])
    return _with_traps([tuple(views[key]) for key in sorted(chosen)], rng)


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
