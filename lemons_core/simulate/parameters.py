"""Every number of the simulator, with its unit and the reason for it.

Lengths are in mm; contrasts are in grey, where 0 is the darkest and 1 the brightest grey of the film.
"""

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


FINE_MM = 0.05  # calcium is drawn at this spacing or finer: half the smallest speck

TISSUE: dict[str, Range] = {
    "slope": Range(2.6, 3.4, "", "power spectrum 1/f^slope of mammograms (Burgess 2001, doi:10.1118/1.1355308)"),
    "base": Range(0.28, 0.52, "grey", "fatty tissue on film scans, from dark to well exposed"),
    "gland": Range(0.06, 0.24, "grey", "fibroglandular tissue is brighter than fat; widest on high-contrast film"),
    "texture": Range(0.006, 0.019, "grey", "standard deviation of the cloudy texture within one tissue"),
    "fibre": Range(0.004, 0.012, "grey", "standard deviation of the oriented streaks"),
    "fibre_stretch": Range(1.8, 4.0, "", "length to width of the streaks: they run along the ducts"),
    "ligament": Range(0.008, 0.032, "grey", "Cooper's ligaments stay below most calcium, yet cross and add up"),
    "strand": Range(0.004, 0.026, "grey", "the fine net of septa and small vessels, fitted to a normal film at 0.1 mm"),
    "ligament_width": Range(0.12, 0.45, "mm", "thin sheets seen edge-on"),
    "ligament_length": Range(4, 20, "mm", "from one fat lobule to across the picture"),
    "ligaments": Range(0, 7, "per 4 cm2", "few in dense tissue, a net in fat"),
    "duct_width": Range(0.5, 2.0, "mm", "ducts near the nipple are wider"),
    "duct": Range(0.006, 0.020, "grey", "faint bands"),
    "vessel_width": Range(0.6, 2.4, "mm", "breast arteries; the same as those that calcify"),
    "vessel": Range(0.008, 0.032, "grey", "a vessel without calcium is a soft band"),
    "spot_width": Range(0.6, 2.2, "mm", "a vessel seen end-on: round, but soft and faint"),
    "spot": Range(0.008, 0.040, "grey", "up to the strongest peaks of normal tissue, 0.05"),
    "lobule_width": Range(1.5, 6.0, "mm", "dark round fat lobules within gland"),
    "lobule": Range(0.02, 0.09, "grey", "fat shows through the gland around it"),
    "gradient": Range(0.0, 0.12, "grey", "thickness and exposure change across a picture"),
}
# How much of the breast is gland at BI-RADS density 1-4: quantile of the tissue field above which gland begins.
GLAND_SHARE: dict[int, Range] = {
    1: Range(0.02, 0.15, "", "almost entirely fat, below 25 % gland in the 4th edition"),
    2: Range(0.15, 0.40, "", "scattered, 25-50 %"),
    3: Range(0.40, 0.70, "", "heterogeneously dense, 51-75 %"),
    4: Range(0.70, 0.95, "", "extremely dense, above 75 %"),
}
# The share of pictures with each distractor. It is the same with and without calcium, so that none tells the label.
SCENE: dict[str, float] = {
    "breast_edge": 0.14,
    "pectoral_edge": 0.10,
    "film_edge": 0.10,
    "skin_fold": 0.06,
    "scratch": 0.10,
    "streaks": 0.15,
    "vessel": 0.30,
    "spot": 0.35,
    "duct": 0.35,
    "crossing": 0.25,
    "dust": 0.55,
    "hair": 0.08,
}
FILM: dict[str, Range] = {
    "psf": Range(0.05, 0.10, "mm", "sigma of screen, focal spot and digitiser together: 2-4 lp/mm at half contrast"),
    "noise": Range(
        0.002, 0.010, "grey", "grain and digitiser; on a scan at 0.1 mm 0.009 is measured with the tissue in it"
    ),
    "grain": Range(0.3, 0.9, "px", "correlation of the noise: film grain and digitiser aperture"),
    "gamma": Range(0.75, 1.35, "", "characteristic curve of film, local slope"),
    "calcium": Range(
        0.55, 1.2, "of the contrast", "thick breasts and high voltage leave less: .06 on one film set, .13 on another"
    ),
    "gain": Range(0.75, 1.25, "", "contrast differs between films, screens and digitisers"),
    "offset": Range(-0.10, 0.10, "grey", "exposure differs between films"),
    "dust_size": Range(0.05, 0.30, "mm", "dust lies on the film: small and perfectly sharp; a few grains may clot"),
    "dust": Range(0.10, 0.95, "grey", "dust is white whatever lies below"),
    "dust_count": Range(1, 3, "", "lone specks; more than three would read as a group"),
    "scratch": Range(0.04, 0.25, "grey", "thin straight or slightly bent lines, sharp"),
    "streak": Range(0.002, 0.008, "grey", "rows or columns of the digitiser"),
}
DIGITAL: dict[str, Range] = {
    **FILM,
    "psf": Range(0.04, 0.08, "mm", "flat-panel detectors are a little sharper than film"),
    "noise": Range(0.003, 0.010, "grey", "quantum noise"),
    "grain": Range(0.0, 0.4, "px", "almost white"),
    "gain": Range(0.9, 1.4, "", "processing for presentation raises contrast"),
}

VIEW: dict[str, Range] = {
    "height": Range(180, 200, "mm", "18 x 24 cm film, cut to the breast"),
    "width": Range(110, 130, "mm", "as above"),
    "depth": Range(0.62, 0.88, "of the width", "from the chest wall to the nipple"),
    "fade": Range(12, 32, "mm", "the breast thins towards its skin, and film shows it ever darker"),
    "muscle": Range(0.02, 0.12, "grey", "the pectoral muscle is brighter than fat"),
    "dust": Range(8, 30, "", "specks on a whole film, most of them seen on the black"),
    "margin": Range(1.2, 2.0, "mm", "a reader's outline stays clear of the calcium"),
}
# Free diameter in mm that a lesion takes in a whole view, by distribution.
ROOM_MM: dict[str, float] = {
    "CLUSTERED": 16.0,
    "LINEAR": 22.0,
    "SEGMENTAL": 28.0,
    "REGIONAL": 30.0,
    "DIFFUSELY_SCATTERED": 44.0,
}

# Calcium: count, diameter and contrast by kind. Contrast is grey per mm of calcium before blur; film patches show peaks
# of .07/.13/.23 (10/50/90 %) at widths of .28/.42/.73 mm, which 0.35-0.6 per mm reproduces.
_PER_MM = Range(0.35, 0.65, "grey/mm", "fitted to peak against width on film")
_BRIGHT = Range(0.45, 0.80, "grey/mm", "larger deposits are pure and dense; up to 0.6 grey in all")
CALCIUM: dict[str, dict[str, Range]] = {
    "AMORPHOUS": {
        "count": Range(8, 70, "", "too many and too small to count"),
        "diameter": Range(0.10, 0.30, "mm", "below what film resolves, hence without shape"),
        "contrast": Range(0.50, 0.95, "grey/mm", "hazy: 0.02-0.07 after blur, just above normal peaks"),
        "blur": Range(0.12, 0.25, "mm", "indistinct margins"),
        "extent": Range(3.0, 9.0, "mm", "a group"),
    },
    "PLEOMORPHIC": {
        "count": Range(5, 60, "", "five or more in a group, a hundred where a duct system is full"),
        "diameter": Range(0.20, 0.80, "mm", "fine pleomorphic to coarse heterogeneous"),
        "contrast": Range(0.35, 0.75, "grey/mm", "brightness differs from speck to speck"),
        "extent": Range(3.0, 13.0, "mm", "a group"),
    },
    "PUNCTATE": {
        "count": Range(5, 45, "", "a group of dots"),
        "diameter": Range(0.25, 0.50, "mm", "round and below 0.5 mm by definition"),
        "contrast": Range(0.40, 0.75, "grey/mm", "fitted to peak against width on film"),
        "extent": Range(3.0, 11.0, "mm", "a group"),
    },
    "FINE_LINEAR_BRANCHING": {
        "count": Range(1, 3, "", "ducts that are cast"),
        "diameter": Range(0.10, 0.32, "mm", "thinner than 0.5 mm by definition"),
        "length": Range(5.0, 14.0, "mm", "of one duct tree"),
        "piece": Range(0.5, 2.5, "mm", "the cast is broken"),
        "contrast": Range(0.65, 1.15, "grey/mm", "lines blur less than dots and are dense"),
        "extent": Range(2.0, 6.0, "mm", "neighbouring ducts of one lobe"),
    },
    "ROUND_AND_REGULAR": {
        "count": Range(2, 8, "", "few, apart"),
        "diameter": Range(0.50, 1.50, "mm", "0.5 mm parts them from punctate"),
        "contrast": _PER_MM,
        "extent": Range(6.0, 16.0, "mm", "loosely spread"),
    },
    "LUCENT_CENTERED": {
        "count": Range(1, 4, "", "often alone"),
        "diameter": Range(1.0, 3.5, "mm", "over 1 mm, up to fat necrosis"),
        "wall": Range(0.20, 0.45, "of the radius", "thicker than a rim"),
        "contrast": _BRIGHT,
        "extent": Range(5.0, 14.0, "mm", "loosely spread"),
    },
    "EGGSHELL": {
        "count": Range(1, 2, "", "mostly one cyst or oil cyst"),
        "diameter": Range(2.0, 8.0, "mm", "wall of a sphere of 2-10 mm"),
        "wall": Range(0.12, 0.50, "mm", "thinner than 1 mm by definition"),
        "contrast": Range(0.10, 0.25, "grey/mm", "a thin loose shell, bright only where seen edge-on"),
        "extent": Range(5.0, 10.0, "mm", ""),
    },
    "COARSE": {
        "count": Range(1, 2, "", "an involuting fibroadenoma"),
        "diameter": Range(2.0, 8.0, "mm", "popcorn, over 2 mm"),
        "lump": Range(0.25, 0.75, "of 1 mm", "radius of the lumps that it is made of"),
        "contrast": Range(0.35, 0.70, "grey/mm", "dense; saturates at 0.6 grey"),
        "extent": Range(6.0, 12.0, "mm", ""),
    },
    "LARGE_RODLIKE": {
        "count": Range(2, 7, "", "several, all pointing to the nipple"),
        "diameter": Range(0.50, 1.00, "mm", "0.5 mm or more parts them from fine linear"),
        "length": Range(3.0, 10.0, "mm", "smooth and unbroken"),
        "contrast": _PER_MM,
        "extent": Range(7.0, 15.0, "mm", "along several ducts"),
    },
    "DYSTROPHIC": {
        "count": Range(1, 4, "", "in a scar"),
        "diameter": Range(0.9, 4.0, "mm", "over 0.5 mm, irregular plates"),
        "wall": Range(0.30, 0.70, "of the radius", "often with a lucent centre"),
        "contrast": _BRIGHT,
        "extent": Range(4.0, 12.0, "mm", ""),
    },
    "MILK_OF_CALCIUM": {
        "count": Range(4, 14, "", "one sediment per small cyst"),
        "diameter": Range(0.6, 2.0, "mm", "size of the cysts"),
        "contrast": Range(0.30, 0.60, "grey/mm", "a sediment, less dense than stone"),
        "extent": Range(4.0, 11.0, "mm", "a group of cysts"),
    },
    "SKIN": {
        "count": Range(3, 14, "", "tight groups in the skin"),
        "diameter": Range(0.5, 1.5, "mm", "pores and sweat glands"),
        "wall": Range(0.30, 0.50, "of the radius", "polygon with a lucent centre"),
        "contrast": Range(0.40, 0.70, "grey/mm", "small but dense"),
        "extent": Range(3.0, 9.0, "mm", "a tight group"),
    },
    "VASCULAR": {
        "count": Range(1, 2, "", "arteries in the picture"),
        "diameter": Range(0.6, 2.4, "mm", "wall to wall"),
        "wall": Range(0.10, 0.32, "mm", "thickness of the calcified wall"),
        "piece": Range(0.6, 4.0, "mm", "both walls are broken, each in its own places"),
        "contrast": Range(0.60, 1.10, "grey/mm", "seen along the wall, more calcium than its width tells"),
        "extent": Range(1.0, 4.0, "mm", ""),
    },
}
SATURATION: dict[str, float] = {"small": 0.45, "large": 0.60}  # highest contrast seen on film, in grey
LARGE = frozenset({"COARSE", "DYSTROPHIC", "EGGSHELL", "LARGE_RODLIKE", "LUCENT_CENTERED", "ROUND_AND_REGULAR"})

# An insertion counts when an eye can see it: its peak is above both limits.
VISIBLE_GREY = 0.02  # faint peaks of normal tissue on film; below it nothing stands out
FAINT_GREY = 0.004  # below this an insertion has left no trace at all
VISIBLE_SIGMA = 4.0  # times the local deviation of fine structure and noise; an eye needs 3 to 5 (Rose 1948)
