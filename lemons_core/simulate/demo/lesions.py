"""Invented lesions: kind -> distribution -> pathology -> assessment and subtlety, each drawn given what came before.

Counts come out as published because quotas are filled, not because rows are copied.
"""

from dataclasses import dataclass

import numpy as np

from lemons_core.simulate.demo.published import (
    ASSESSMENT,
    CALC_BOTH_VIEWS,
    CALC_LESIONS,
    COMPOUNDS,
    DISTRIBUTIONS,
    MASS_MARGINS,
    MASS_SHAPES,
    MISSING_DISTRIBUTION,
    MISSING_NOT_BWC,
    MISSING_TYPE,
    PATHOLOGY,
    PULL,
    SUBTLETY,
    TOKENS,
)


@dataclass(eq=False)
class DrawnLesion:
    """One lesion on its way to rows; filled in step by step."""

    rows: int  # views it is seen in
    what: str = ""
    how: str = ""
    malignant: bool = False
    pathology: str = ""
    unplaced: bool = False  # its distribution was not written down
    assessment: int = 4  # suspicious: what is left when the surer grades are given
    subtlety: int = 0


def calc_lesions(rng: np.random.Generator) -> list[DrawnLesion]:
    lesions = _with_kinds(rng)
    _give_distribution(lesions, rng)
    _give_pathology(lesions, rng)
    _give_assessment(lesions, rng)
    _give_subtlety(lesions, rng)
    return [lesions[i] for i in rng.permutation(len(lesions))]


def _with_kinds(rng: np.random.Generator) -> list[DrawnLesion]:
    """Lesions of every kind, such that the rows of each kind come out exactly."""
    counts = dict(COMPOUNDS)
    for token, (n, _) in TOKENS.items():
        counts[token] = n - sum(k for name, k in COMPOUNDS.items() if token in name.split("-"))
    counts[""] = MISSING_TYPE
    share = (CALC_LESIONS - CALC_BOTH_VIEWS) / sum(counts.values())
    singles = {}
    for name, n in counts.items():
        ones = min(n, round(n * share))
        singles[name] = ones + (n - ones) % 2 if ones + (n - ones) % 2 <= n else ones - 1
    # Rounding leaves a few; the most frequent kind takes them, two rows at a time.
    singles["PLEOMORPHIC"] += CALC_LESIONS - CALC_BOTH_VIEWS - sum(singles.values())
    out = []
    for name, n in counts.items():
        out += [DrawnLesion(1, name) for _ in range(singles[name])] + [
            DrawnLesion(2, name) for _ in range((n - singles[name]) // 2)
        ]
    return out


def _share_malignant(what: str) -> float:
    """The malignant share of a kind or compound: a clearly benign part decides, else the mean of the parts."""
    shares = [TOKENS[token][1] for token in what.split("-")] if what else [0.05]
    return min(shares) if min(shares) < 0.1 else float(np.mean(shares))


def _give_distribution(lesions: list[DrawnLesion], rng: np.random.Generator) -> None:
    """A distribution for each lesion; missing where nobody looked twice, mostly at kinds that are typically benign."""
    benign = np.array([_share_malignant(x.what) < 0.1 for x in lesions])
    order = np.argsort(rng.random(len(lesions)) + np.where(benign, 0, 0.85))
    left = MISSING_DISTRIBUTION
    for i in order:
        if lesions[i].rows <= left:
            lesions[i].unplaced = True
            left -= lesions[i].rows
    for x in lesions:
        if not x.unplaced:
            x.how = _draw_distribution(x.what, rng)
    regional = [x for x in lesions if x.how == "REGIONAL" and x.rows == 1]
    regional[0].how = "REGIONAL-REGIONAL"


def _draw_distribution(what: str, rng: np.random.Generator) -> str:
    weights = np.array([share for share, _ in DISTRIBUTIONS.values()])
    for token in what.split("-"):
        weights *= [PULL.get(token, {}).get(name, 1.0) for name in DISTRIBUTIONS]
    how = str(rng.choice(list(DISTRIBUTIONS), p=weights / weights.sum()))
    return "CLUSTERED-LINEAR" if how == "CLUSTERED" and rng.random() < 0.03 else how


def _systematic(p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Choose each with its own probability, such that every run of the list gets about its expected number."""
    ends = np.floor(np.cumsum(p) + rng.random())
    return np.diff(ends, prepend=0.0) > 0


def _give_pathology(lesions: list[DrawnLesion], rng: np.random.Generator) -> None:
    kind = _kind_shares(lesions)
    p = _malignant_odds(lesions, kind)
    sizes, spread, kinds = (np.array(one) for one in zip(*((x.rows, x.how, x.what) for x in lesions), strict=True))
    order = np.lexsort((rng.random(len(lesions)), sizes, spread, kinds))
    for i, malignant in zip(order, _systematic(p[order], rng), strict=True):
        lesions[i].malignant = bool(malignant)
    _call_back(lesions, kind, rng)


def _kind_shares(lesions: list[DrawnLesion]) -> np.ndarray:
    """The malignant share of each lesion's kind where the distribution is known, (N,)."""
    sizes = np.array([x.rows for x in lesions])
    placed = np.array([not x.unplaced for x in lesions])
    shares = np.array([_share_malignant(x.what) for x in lesions])
    # Missing distributions lower a kind's share; the rest of that kind makes up for it.
    for name in {x.what for x in lesions}:
        of = np.array([x.what == name for x in lesions])
        shares[of] *= sizes[of].sum() / max(1, sizes[of & placed].sum())
    return np.clip(shares, 0, 0.97)


def _malignant_odds(lesions: list[DrawnLesion], kind: np.ndarray) -> np.ndarray:
    """How likely each lesion is malignant by kind and distribution, (N,); the sum of rows is the published one."""
    sizes = np.array([x.rows for x in lesions])
    spread = np.array([DISTRIBUTIONS[x.how.split("-")[-1]][1] if x.how else 0.0 for x in lesions])
    usable = np.array([not x.unplaced for x in lesions]) & (kind > 0)
    score = logit(kind[usable]) + 0.8 * (logit(spread[usable]) - logit(np.array(0.45)))
    low, high = -3.0, 3.0
    for _ in range(40):  # shift all odds alike until the expected number of malignant rows is the published one
        shift = (low + high) / 2
        expected = (sizes[usable] / (1 + np.exp(-score - shift))).sum()
        low, high = (shift, high) if expected < PATHOLOGY["MALIGNANT"] else (low, shift)
    p = np.zeros(len(lesions))
    p[usable] = 1 / (1 + np.exp(-score - shift))
    return p


def _call_back(lesions: list[DrawnLesion], kind: np.ndarray, rng: np.random.Generator) -> None:
    """Write the pathology; of the benign lesions, those that look most benign were not called back."""
    without = PATHOLOGY["BENIGN_WITHOUT_CALLBACK"]
    exceptions = MISSING_NOT_BWC
    rest = []
    for i in rng.permutation(len(lesions)):
        x = lesions[i]
        if x.malignant:
            x.pathology = "MALIGNANT"
        elif x.unplaced and x.rows <= exceptions:
            x.pathology = "BENIGN"
            exceptions -= x.rows
        elif x.unplaced:
            x.pathology = "BENIGN_WITHOUT_CALLBACK"
            without -= x.rows
        else:
            rest.append((rng.random() + 2 * kind[i], i))
    for _, i in sorted(rest):
        lesions[i].pathology = "BENIGN_WITHOUT_CALLBACK" if lesions[i].rows <= without else "BENIGN"
        without -= lesions[i].rows if lesions[i].rows <= without else 0


def logit(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, 0.01, 0.99)
    return np.asarray(np.log(p / (1 - p)))


# Grade, rows that get it (None: what is left of it), of which pathology; above 0 the more suspicious kinds come first.
_GRADES: tuple[tuple[int, int | None, str, float], ...] = (
    (5, 197, "MALIGNANT", 1.0),
    (5, 2, "BENIGN", 1.0),
    (2, 1, "MALIGNANT", 0.0),
    (2, 500, "BENIGN_WITHOUT_CALLBACK", -0.5),
    (2, None, "BENIGN", -2.0),
    (3, 8, "MALIGNANT", 0.0),
    (3, 85, "BENIGN", 0.0),
    (3, None, "BENIGN_WITHOUT_CALLBACK", 0.0),
    (0, 16, "MALIGNANT", 0.0),
    (0, 20, "BENIGN_WITHOUT_CALLBACK", 0.0),
    (0, None, "BENIGN", 0.0),
)


def _give_assessment(lesions: list[DrawnLesion], rng: np.random.Generator) -> None:
    """The radiologist's assessment: 5 is nearly always malignant, 2 nearly never; between them they could not tell."""
    left = dict(ASSESSMENT)
    graded: set[DrawnLesion] = set()
    for grade, rows, pathology, lean in _GRADES:
        wanted = left[grade] if rows is None else rows
        pool = [x for x in lesions if x.pathology == pathology]
        for i in np.argsort([rng.random() - lean * _share_malignant(x.what) for x in pool]):
            if pool[i] not in graded and pool[i].rows <= wanted:
                pool[i].assessment = grade
                graded.add(pool[i])
                wanted -= pool[i].rows
                left[grade] -= pool[i].rows


def _give_subtlety(lesions: list[DrawnLesion], rng: np.random.Generator) -> None:
    """1 is hard to see, 5 obvious: large deposits are obvious, amorphous ones are not."""
    easy = {"AMORPHOUS": -1.1, "PUNCTATE": -0.5, "COARSE": 1.2, "VASCULAR": 0.6, "FINE_LINEAR_BRANCHING": 0.4}
    score = [
        np.mean([easy.get(t, 0.3 if t in ("LUCENT_CENTER", "EGGSHELL") else 0.0) for t in x.what.split("-")])
        + 0.3 * x.malignant
        + rng.normal()
        for x in lesions
    ]
    order = np.argsort(score)
    filled = np.cumsum([lesions[i].rows for i in order])
    for i, n in zip(order, filled, strict=True):
        lesions[i].subtlety = 1 + int(np.searchsorted(np.cumsum(list(SUBTLETY.values()))[:-1], n, side="left"))


def mass_lesion(rng: np.random.Generator) -> DrawnLesion:
    shape = str(rng.choice(list(MASS_SHAPES), p=_weights(MASS_SHAPES)))
    margins = str(rng.choice(list(MASS_MARGINS), p=_weights(MASS_MARGINS)))
    odds = logit(np.array(MASS_SHAPES[shape][1])) + MASS_MARGINS[margins][1]
    malignant = bool(rng.random() < 1 / (1 + np.exp(-odds)))
    pathology = "MALIGNANT" if malignant else ("BENIGN_WITHOUT_CALLBACK" if rng.random() < 0.16 else "BENIGN")
    grades = [0.05, 0.01, 0.03, 0.49, 0.42] if malignant else [0.13, 0.09, 0.33, 0.44, 0.01]
    assessment = int(rng.choice([0, 2, 3, 4, 5], p=grades))
    how = "" if rng.random() < 0.035 else margins
    subtlety = int(rng.choice([1, 2, 3, 4, 5], p=[0.03, 0.08, 0.2, 0.28, 0.41]))
    views = 1 + int(rng.random() < 0.8)
    return DrawnLesion(
        views, shape, how, malignant=malignant, pathology=pathology, assessment=assessment, subtlety=subtlety
    )


def _weights(table: dict[str, tuple[float, float]]) -> np.ndarray:
    shares = np.array([share for share, _ in table.values()])
    return np.asarray(shares / shares.sum())
