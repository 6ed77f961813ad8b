"""Simulated case descriptions: invented patients with the frequencies that are published of CBIS-DDSM.

No row is taken from the collection. Kinds, distributions, pathology, assessment, density and subtlety are drawn so that
their counts come out as published, and hang together: kind -> distribution -> pathology -> assessment, subtlety.

Source: counts of the four CBIS-DDSM case-description files (Lee et al. 2017, doi:10.1038/sdata.2017.177). How often two
kinds occur together, and every figure of the masses, is a plausible guess of ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

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
# Rows with several kinds: 293 in all.
COMPOUNDS: dict[str, int] = {
    "ROUND_AND_REGULAR-LUCENT_CENTER": 44,
    "PLEOMORPHIC-FINE_LINEAR_BRANCHING": 32,
    "PUNCTATE-PLEOMORPHIC": 32,
    "ROUND_AND_REGULAR-LUCENT_CENTER-PUNCTATE": 30,
    "AMORPHOUS-PLEOMORPHIC": 22,
    "ROUND_AND_REGULAR-EGGSHELL": 22,
    "COARSE-ROUND_AND_REGULAR-LUCENT_CENTER": 17,
    "PUNCTATE-AMORPHOUS": 14,
    "COARSE-LUCENT_CENTER": 12,
    "VASCULAR-COARSE": 12,
    "VASCULAR-COARSE-LUCENT_CENTER": 12,
    "LARGE_RODLIKE-ROUND_AND_REGULAR": 10,
    "ROUND_AND_REGULAR-PUNCTATE": 10,
    "PUNCTATE-AMORPHOUS-PLEOMORPHIC": 6,
    "PUNCTATE-FINE_LINEAR_BRANCHING": 6,
    "SKIN-PUNCTATE": 6,
    "COARSE-ROUND_AND_REGULAR": 4,
    "LUCENT_CENTER-PUNCTATE": 1,
    "PLEOMORPHIC-PLEOMORPHIC": 1,
}
MISSING_TYPE = 24
# Distribution: share of the rows that have one (ours), share of them malignant (published).
DISTRIBUTIONS: dict[str, tuple[float, float]] = {
    "CLUSTERED": (0.67, 0.436),
    "SEGMENTAL": (0.14, 0.584),
    "LINEAR": (0.09, 0.709),
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
    "IRREGULAR": (0.28, 0.75),
    "OVAL": (0.24, 0.18),
    "LOBULATED": (0.23, 0.32),
    "ROUND": (0.10, 0.28),
    "ARCHITECTURAL_DISTORTION": (0.06, 0.60),
    "IRREGULAR-ARCHITECTURAL_DISTORTION": (0.04, 0.85),
    "LYMPH_NODE": (0.02, 0.02),
    "ASYMMETRIC_BREAST_TISSUE": (0.015, 0.2),
    "FOCAL_ASYMMETRIC_DENSITY": (0.015, 0.3),
}
MASS_MARGINS = {
    "CIRCUMSCRIBED": (0.26, -1.6),
    "ILL_DEFINED": (0.24, 0.5),
    "SPICULATED": (0.24, 2.2),
    "OBSCURED": (0.16, -0.7),
    "MICROLOBULATED": (0.10, 0.3),
}


@dataclass(frozen=True)
class Row:
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


@dataclass
class _Lesion:
    rows: int  # views it is seen in
    what: str = ""
    how: str = ""
    malignant: bool = False
    pathology: str = ""
    assessment: int = 0
    subtlety: int = 0


def simulate_rows(seed: int) -> list[Row]:
    """Invent the rows of all four files, sorted by patient; the same seed gives the same rows."""
    rng = np.random.default_rng([seed, 1])
    calc = _calc_lesions(rng)
    numbers = rng.permutation(np.arange(1, 2800))
    calc_people = _share_out(calc, CALC_PATIENTS, rng)
    calc_test = _pick_exactly([sum(x.rows for x in own) for own in calc_people], ROWS["calc_test"], rng)
    names = [f"P_{n:05d}" for n in numbers[:CALC_PATIENTS]]
    density = dict(zip(names, _density(calc_people, rng), strict=True))
    split = {name: "test" if k in calc_test else "train" for k, name in enumerate(names)}
    rows: list[Row] = []
    for name, own in zip(names, calc_people, strict=True):
        rows += _rows("calc", split[name], name, density[name], own, rng)
    rows = _disagree(rows, rng)
    rows = _spell(rows, rng)
    for part in ("train", "test"):
        rows += _masses(part, rows, split, density, numbers, rng)
    return sorted(rows, key=lambda r: (r.kind, r.split != "train", r.patient, r.side, r.view, r.number))


def _calc_lesions(rng: np.random.Generator) -> list[_Lesion]:
    lesions = _with_kinds(rng)
    _give_distribution(lesions, rng)
    _give_pathology(lesions, rng)
    _give_assessment(lesions, rng)
    _give_subtlety(lesions, rng)
    return [lesions[i] for i in rng.permutation(len(lesions))]


def _with_kinds(rng: np.random.Generator) -> list[_Lesion]:
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
        out += [_Lesion(1, name) for _ in range(singles[name])] + [
            _Lesion(2, name) for _ in range((n - singles[name]) // 2)
        ]
    return out


def _share_malignant(what: str) -> float:
    """The malignant share of a kind or compound: a clearly benign part decides, else the mean of the parts."""
    shares = [TOKENS[token][1] for token in what.split("-")] if what else [0.05]
    return min(shares) if min(shares) < 0.1 else float(np.mean(shares))


def _give_distribution(lesions: list[_Lesion], rng: np.random.Generator) -> None:
    """A distribution for each lesion; missing where nobody looked twice, mostly at kinds that are typically benign."""
    benign = np.array([_share_malignant(x.what) < 0.1 for x in lesions])
    order = np.argsort(rng.random(len(lesions)) + np.where(benign, 0, 0.85))
    left = MISSING_DISTRIBUTION
    for i in order:
        if lesions[i].rows <= left:
            lesions[i].how = "NA"
            left -= lesions[i].rows
    for x in lesions:
        if x.how:
            x.how = ""
            x.pathology = "missing"
            continue
        weights = np.array([share for share, _ in DISTRIBUTIONS.values()])
        for token in x.what.split("-"):
            weights *= [PULL.get(token, {}).get(name, 1.0) for name in DISTRIBUTIONS]
        x.how = str(rng.choice(list(DISTRIBUTIONS), p=weights / weights.sum()))
        if x.how == "CLUSTERED" and rng.random() < 0.03:
            x.how = "CLUSTERED-LINEAR"
    regional = [x for x in lesions if x.how == "REGIONAL" and x.rows == 1]
    regional[0].how = "REGIONAL-REGIONAL"


def _systematic(p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Choose each with its own probability, such that every run of the list gets about its expected number."""
    ends = np.floor(np.cumsum(p) + rng.random())
    return np.diff(ends, prepend=0.0) > 0


def _give_pathology(lesions: list[_Lesion], rng: np.random.Generator) -> None:
    sizes = np.array([x.rows for x in lesions])
    open_ = np.array([x.pathology != "missing" for x in lesions])
    kind = np.array([_share_malignant(x.what) for x in lesions])
    # Missing distributions lower a kind's share; the rest of that kind makes up for it.
    for name in {x.what for x in lesions}:
        of = np.array([x.what == name for x in lesions])
        kind[of] *= sizes[of].sum() / max(1, sizes[of & open_].sum())
    kind = np.clip(kind, 0, 0.97)
    place = np.array([DISTRIBUTIONS[x.how.split("-")[-1]][1] if x.how else 0.0 for x in lesions])
    usable = open_ & (kind > 0)
    score = _logit(kind[usable]) + 0.8 * (_logit(place[usable]) - _logit(np.array(0.45)))
    low, high = -3.0, 3.0
    for _ in range(40):  # shift all odds alike until the expected number of malignant rows is the published one
        shift = (low + high) / 2
        expected = (sizes[usable] / (1 + np.exp(-score - shift))).sum()
        low, high = (shift, high) if expected < PATHOLOGY["MALIGNANT"] else (low, shift)
    p = np.zeros(len(lesions))
    p[usable] = 1 / (1 + np.exp(-score - shift))
    order = np.lexsort(
        (rng.random(len(lesions)), sizes, np.array([x.how for x in lesions]), np.array([x.what for x in lesions]))
    )
    chosen = np.zeros(len(lesions), bool)
    chosen[order] = _systematic(p[order], rng)
    for x, yes in zip(lesions, chosen, strict=True):
        x.malignant = bool(yes)

    without = PATHOLOGY["BENIGN_WITHOUT_CALLBACK"]
    exceptions = MISSING_NOT_BWC
    rest = []
    for i in rng.permutation(len(lesions)):
        x = lesions[i]
        if x.malignant:
            x.pathology = "MALIGNANT"
        elif x.pathology == "missing" and x.rows <= exceptions:
            x.pathology = "BENIGN"
            exceptions -= x.rows
        elif x.pathology == "missing":
            x.pathology = "BENIGN_WITHOUT_CALLBACK"
            without -= x.rows
        else:
            rest.append((rng.random() + 2 * kind[i], i))
    for _, i in sorted(rest):  # what looks benign is called back least
        lesions[i].pathology = "BENIGN_WITHOUT_CALLBACK" if lesions[i].rows <= without else "BENIGN"
        without -= lesions[i].rows if lesions[i].rows <= without else 0


def _logit(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, 0.01, 0.99)
    return np.asarray(np.log(p / (1 - p)))


def _give_assessment(lesions: list[_Lesion], rng: np.random.Generator) -> None:
    """The radiologist's assessment: 5 is nearly always malignant, 2 nearly never; between them they could not tell."""
    left = dict(ASSESSMENT)

    def take(grade: int, wanted: int, pool: list[_Lesion]) -> None:
        for x in pool:
            if wanted <= 0:
                return
            if x.assessment == 0 and not x.subtlety and x.rows <= wanted:
                x.assessment, x.subtlety = grade, -1  # -1 marks it as graded
                wanted -= x.rows
                left[grade] -= x.rows

    def shuffled(pathology: str, lean: float = 0.0) -> list[_Lesion]:
        pool = [x for x in lesions if x.pathology == pathology]
        keys = [rng.random() - lean * _share_malignant(x.what) for x in pool]
        return [pool[i] for i in np.argsort(keys)]

    take(5, 197, shuffled("MALIGNANT", lean=1.0))
    take(5, 2, shuffled("BENIGN", lean=1.0))
    take(2, 1, [x for x in shuffled("MALIGNANT") if x.rows == 1])
    take(2, 500, shuffled("BENIGN_WITHOUT_CALLBACK", lean=-0.5))
    take(2, left[2], shuffled("BENIGN", lean=-2.0))
    take(3, 8, shuffled("MALIGNANT"))
    take(3, 85, shuffled("BENIGN"))
    take(3, left[3], shuffled("BENIGN_WITHOUT_CALLBACK"))
    take(0, 16, shuffled("MALIGNANT"))
    take(0, 20, shuffled("BENIGN_WITHOUT_CALLBACK"))
    take(0, left[0], shuffled("BENIGN"))
    for x in lesions:
        if not x.subtlety:
            x.assessment = 4
        x.subtlety = 0


def _give_subtlety(lesions: list[_Lesion], rng: np.random.Generator) -> None:
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


def _share_out(lesions: Sequence[_Lesion], people: int, rng: np.random.Generator) -> list[list[_Lesion]]:
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


def _density(people: list[list[_Lesion]], rng: np.random.Generator) -> list[int]:
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
    kind: str, split: str, patient: str, density: int, lesions: list[_Lesion], rng: np.random.Generator
) -> list[Row]:
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
            out.append(
                Row(
                    kind,
                    split,
                    patient,
                    density,
                    side,
                    view,
                    count[side],
                    x.what,
                    x.how,
                    x.assessment,
                    x.pathology,
                    x.subtlety,
                )
            )
    return out


def _disagree(rows: list[Row], rng: np.random.Generator) -> list[Row]:
    """Let the two views of some lesions disagree, by exchanging what was written of two lesions of equal pathology."""
    rows = list(rows)
    seen: dict[tuple[str, str, int], list[int]] = {}
    for i, r in enumerate(rows):
        seen.setdefault((r.patient, r.side, r.number), []).append(i)
    pairs = [seen[key] for key in sorted(seen) if len(seen[key]) == 2]
    pairs = [pairs[i] for i in rng.permutation(len(pairs))]
    taken: set[int] = set()
    done = 0
    for a, (_, i) in enumerate(pairs):
        if done >= TYPE_DISAGREES:
            break
        if a in taken or not rows[i].what or not rows[i].how:
            continue
        for b in range(a + 1, len(pairs)):
            j = pairs[b][1]
            same = rows[i].pathology == rows[j].pathology and rows[i].assessment == rows[j].assessment
            if b not in taken and rows[j].what and rows[j].how and same and rows[i].what != rows[j].what:
                rows[i], rows[j] = replace(rows[i], what=rows[j].what), replace(rows[j], what=rows[i].what)
                taken |= {a, b}
                done += 2
                break
    free = [k for k in range(len(pairs)) if k not in taken and rows[pairs[k][1]].pathology == "BENIGN"]
    for k in free[:PATHOLOGY_DISAGREES]:
        rows[pairs[k][1]] = replace(rows[pairs[k][1]], pathology="BENIGN_WITHOUT_CALLBACK")
    return rows


def _spell(rows: list[Row], rng: np.random.Generator) -> list[Row]:
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
    so_far: list[Row],
    calc_split: dict[str, str],
    density: dict[str, int],
    numbers: np.ndarray,
    rng: np.random.Generator,
) -> list[Row]:
    """Rows of one mass file. Some patients have calcifications too, a few of them in the other split."""
    crossing = {"train": 11, "test": SHARED_ACROSS - 11}[part]
    same = {"train": 70, "test": 12}[part]
    in_other = {r.patient for r in so_far if r.kind == "mass"}
    far = [p for p, s in calc_split.items() if s != part and p not in in_other][:crossing]
    near = [p for p, s in calc_split.items() if s == part and p not in in_other][:same]
    start = CALC_PATIENTS + (0 if part == "train" else 1000)
    new = (f"P_{n:05d}" for n in numbers[start : start + 1000])
    known = iter([*far, *near])
    out: list[Row] = []
    while len(out) < ROWS[f"mass_{part}"]:
        patient = next(known, None) or next(new)
        lesions = [_mass(rng) for _ in range(1 + (rng.random() < 0.08))]
        grade = density.get(patient) or int(rng.choice([1, 2, 3, 4], p=[0.2, 0.44, 0.27, 0.09]))
        out += _rows("mass", part, patient, grade, lesions, rng)
    return out[: ROWS[f"mass_{part}"]]


def _mass(rng: np.random.Generator) -> _Lesion:
    shape = str(rng.choice(list(MASS_SHAPES), p=_weights(MASS_SHAPES)))
    margins = str(rng.choice(list(MASS_MARGINS), p=_weights(MASS_MARGINS)))
    odds = _logit(np.array(MASS_SHAPES[shape][1])) + MASS_MARGINS[margins][1]
    malignant = bool(rng.random() < 1 / (1 + np.exp(-odds)))
    pathology = "MALIGNANT" if malignant else ("BENIGN_WITHOUT_CALLBACK" if rng.random() < 0.16 else "BENIGN")
    grades = [0.05, 0.01, 0.03, 0.49, 0.42] if malignant else [0.13, 0.09, 0.33, 0.44, 0.01]
    assessment = int(rng.choice([0, 2, 3, 4, 5], p=grades))
    how = "" if rng.random() < 0.035 else margins
    subtlety = int(rng.choice([1, 2, 3, 4, 5], p=[0.03, 0.08, 0.2, 0.28, 0.41]))
    return _Lesion(1 + int(rng.random() < 0.8), shape, how, malignant, pathology, assessment, subtlety)


def _weights(table: dict[str, tuple[float, float]]) -> np.ndarray:
    shares = np.array([share for share, _ in table.values()])
    return np.asarray(shares / shares.sum())
