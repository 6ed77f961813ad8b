"""How often things are in CBIS-DDSM, as published; and our guesses where nothing is.

Source: counts of the four case-description files (Lee et al. 2017, doi:10.1038/sdata.2017.177). How often two kinds
occur together, how a kind pulls its distribution, and every figure of the masses is a plausible guess of ours.
"""

ROWS = {"calc_train": 1546, "calc_test": 326, "mass_train": 1318, "mass_test": 378}
CALC_PATIENTS, CALC_LESIONS, CALC_BOTH_VIEWS = 753, 1045, 827
SHARED_ACROSS = 31  # patients in calc-train and mass-test, or in mass-train and calc-test
TYPE_DISAGREES, PATHOLOGY_DISAGREES = 50, 3  # lesions whose two views differ

# Kind: rows that name it, share of them malignant.
TOKENS: dict[str, tuple[int, float]] = {
    "PLEOMORPHIC": (909, 0.530),
    "PUNCTATE": (240, 0.229),
    "LUCENT_CENTER": (240, 0.0),
    "AMORPHOUS": (220, 0.373),
    "ROUND_AND_REGULAR": (180, 0.039),
    "FINE_LINEAR_BRANCHING": (139, 0.813),
    "VASCULAR": (106, 0.0),
    "COARSE": (84, 0.0),
    "EGGSHELL": (36, 0.0),
    "DYSTROPHIC": (22, 0.0),
    "LARGE_RODLIKE": (15, 0.0),
    "SKIN": (13, 0.0),
    "MILK_OF_CALCIUM": (2, 0.0),
}
# Rows with several kinds: 293 in all. Which kinds meet how often is not published: pairs and triples that a reader
# would not wonder at, all equally often.
_PAIRS = (
    "AMORPHOUS-PLEOMORPHIC", "COARSE-LUCENT_CENTER", "COARSE-ROUND_AND_REGULAR", "DYSTROPHIC-LUCENT_CENTER",
    "LUCENT_CENTER-PUNCTATE", "PLEOMORPHIC-FINE_LINEAR_BRANCHING", "PUNCTATE-AMORPHOUS", "PUNCTATE-PLEOMORPHIC",
    "ROUND_AND_REGULAR-EGGSHELL", "ROUND_AND_REGULAR-LUCENT_CENTER", "ROUND_AND_REGULAR-PUNCTATE",
)  # fmt: skip
_TRIPLES = (
    "PUNCTATE-AMORPHOUS-PLEOMORPHIC", "PUNCTATE-PLEOMORPHIC-FINE_LINEAR_BRANCHING",
    "ROUND_AND_REGULAR-EGGSHELL-LUCENT_CENTER", "ROUND_AND_REGULAR-LUCENT_CENTER-PUNCTATE",
    "VASCULAR-COARSE-LUCENT_CENTER",
)  # fmt: skip
COMPOUNDS: dict[str, int] = {
    **dict.fromkeys(_PAIRS, 19),
    "VASCULAR-COARSE": 18,
    "PLEOMORPHIC-PLEOMORPHIC": 1,
    **dict.fromkeys(_TRIPLES, 13),
}
MISSING_TYPE = 24
# Distribution: share of the rows that have one (ours), share of them malignant (published).
DISTRIBUTIONS: dict[str, tuple[float, float]] = {
    "CLUSTERED": (0.65, 0.436),
    "SEGMENTAL": (0.15, 0.584),
    "LINEAR": (0.10, 0.709),
    "REGIONAL": (0.07, 0.423),
    "DIFFUSELY_SCATTERED": (0.03, 0.125),
}
# Ours: how a kind pulls its distribution, as factors on the shares above.
PULL: dict[str, dict[str, float]] = {
    "FINE_LINEAR_BRANCHING": {"LINEAR": 4.0, "SEGMENTAL": 2.0, "DIFFUSELY_SCATTERED": 0.0},
    "VASCULAR": {"LINEAR": 8.0, "CLUSTERED": 0.2},
    "AMORPHOUS": {"REGIONAL": 1.5},
    "PUNCTATE": {"DIFFUSELY_SCATTERED": 3.0, "LINEAR": 0.5},
}
MISSING_DISTRIBUTION, MISSING_NOT_BWC = 439, 5  # never malignant; all but five without callback
PATHOLOGY = {"MALIGNANT": 673, "BENIGN": 658, "BENIGN_WITHOUT_CALLBACK": 541}
ASSESSMENT = {0: 76, 2: 553, 3: 113, 4: 931, 5: 199}
DENSITY = {1: 199, 2: 616, 3: 654, 4: 401}
INVALID_DENSITY = 2
SUBTLETY = {1: 119, 2: 298, 3: 606, 4: 422, 5: 427}

MASS_SHAPES = {
    "IRREGULAR": (0.30, 0.75),
    "OVAL": (0.22, 0.18),
    "LOBULATED": (0.20, 0.32),
    "ROUND": (0.12, 0.28),
    "ARCHITECTURAL_DISTORTION": (0.06, 0.60),
    "IRREGULAR-ARCHITECTURAL_DISTORTION": (0.04, 0.85),
    "LYMPH_NODE": (0.02, 0.02),
    "ASYMMETRIC_BREAST_TISSUE": (0.015, 0.2),
    "FOCAL_ASYMMETRIC_DENSITY": (0.015, 0.3),
}
MASS_MARGINS = {
    "CIRCUMSCRIBED": (0.25, -1.6),
    "ILL_DEFINED": (0.25, 0.5),
    "SPICULATED": (0.20, 2.2),
    "OBSCURED": (0.15, -0.7),
    "MICROLOBULATED": (0.15, 0.3),
}
