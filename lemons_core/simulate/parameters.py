"""Every number of the simulator, with its unit and the reason for it: the ranges of parameters.csv, and a few values.

Lengths are in mm; contrasts are in grey, where 0 is the darkest and 1 the brightest grey of the film. Of the tables,
`digital` names only what differs from `film`; `gland_share` is the quantile of the tissue field above which gland
begins, by BI-RADS density 1-4; contrast of `calcium` is grey per mm before blur: film patches show peaks of .07/.13/.23
(10/50/90 %) at widths of .28/.42/.73 mm, which 0.35-0.6 per mm reproduces.
"""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Range(NamedTuple):
    """A uniform range (`low` to `high`, both included for counts) and why it is that wide."""

    low: float
    high: float
    unit: str
    why: str

    def draw(self, rng: np.random.Generator) -> float:
        """One value from the range."""
        return float(rng.uniform(self.low, self.high))

    def many(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """`(n,)` float64 values from the range."""
        return rng.uniform(self.low, self.high, n)

    def whole(self, rng: np.random.Generator) -> int:
        """One whole number from the range."""
        return int(rng.integers(int(self.low), int(self.high) + 1))


with Path(__file__).with_suffix(".csv").open(encoding="utf-8", newline="") as _file:
    _ROWS = [
        (row["table"], row["kind"], row["name"], Range(float(row["low"]), float(row["high"]), row["unit"], row["why"]))
        for row in csv.DictReader(_file)
    ]


def _table(wanted: str, kind: str = "") -> dict[str, Range]:
    return {name: found for table, of, name, found in _ROWS if (table, of) == (wanted, kind)}


TISSUE, FILM, VIEW = _table("tissue"), _table("film"), _table("view")
DIGITAL = FILM | _table("digital")
GLAND_SHARE = {int(density): found for density, found in _table("gland_share").items()}
CALCIUM = {kind: _table("calcium", kind) for table, kind, *_ in _ROWS if table == "calcium"}

FINE_MM = 0.05  # calcium is drawn at this spacing or finer: half the smallest speck
# The share of pictures with each distractor. It is the same with and without calcium, so that none tells the label.
SCENE = {
    "breast_edge": 0.14, "pectoral_edge": 0.10, "film_edge": 0.10, "skin_fold": 0.06, "scratch": 0.10, "streaks": 0.15,
    "vessel": 0.30, "spot": 0.35, "duct": 0.35, "crossing": 0.25, "dust": 0.55, "hair": 0.08,
}  # fmt: skip
# Free diameter in mm that a lesion takes in a whole view, by distribution.
ROOM_MM = {"CLUSTERED": 16.0, "LINEAR": 22.0, "SEGMENTAL": 28.0, "REGIONAL": 30.0, "DIFFUSELY_SCATTERED": 44.0}
SATURATION = {"small": 0.45, "large": 0.60}  # highest contrast seen on film, in grey
LARGE = frozenset({"COARSE", "DYSTROPHIC", "EGGSHELL", "LARGE_RODLIKE", "LUCENT_CENTERED", "ROUND_AND_REGULAR"})

# An insertion counts when an eye can see it: its peak is above both limits.
VISIBLE_GREY = 0.02  # faint peaks of normal tissue on film; below it nothing stands out
FAINT_GREY = 0.004  # below this an insertion has left no trace at all
VISIBLE_SIGMA = 4.0  # times the local deviation of fine structure and noise; an eye needs 3 to 5 (Rose 1948)
