"""What the start page must know of a data root, as plain values without pandas."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lemons_core.base.terms import GROUPS

if TYPE_CHECKING:  # pandas comes with it, and the server holds an Overview without pandas
    import pandas as pd

    from lemons_core.dataset.collection import Collection


@dataclass(frozen=True)
class Sample:
    """One crop, or one whole view, on disk that can be shown or classified.

    masks : of a view, the masks of what is described in it
    """

    case_id: str
    file: str
    group: str
    morphology: str
    pathology: str
    masks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Overview:
    """Counts of the calcification rows of one data root, and its crops.

    images : rows that have a view, a crop, a mask on disk
    groups : rows of each group; a compound type counts in each of its groups
    samples : at most `per_group` crops a group, test rows first
    views : at most `per_group` whole views, test rows first, named by their image
    """

    root: str
    simulated: bool
    rows: int
    patients: int
    lesions: int
    problems: int
    images: dict[str, int]
    groups: dict[str, int]
    pathology: dict[str, int]
    samples: tuple[Sample, ...]
    views: tuple[Sample, ...] = ()

    def of_group(self, group: str) -> list[Sample]:
        return [sample for sample in self.samples if sample.group == group]


def build_overview(collection: "Collection", *, per_group: int = 40) -> Overview:
    """Count a collection and choose its samples."""
    table = collection.table
    counted = Counter(group for groups in table["calc_groups"] for group in groups)
    crops = table[table["crop_file"].notna() & table["calc_group"].notna()].sort_values("split", kind="stable")
    samples = [
        Sample(str(row.case_id), str(row.crop_file), str(row.calc_group), str(row.morphology), str(row.pathology))
        for row in crops.groupby("calc_group", sort=False).head(per_group).itertuples()
    ]
    return Overview(
        root=str(collection.root),
        simulated=collection.simulated,
        rows=len(table),
        patients=int(table["patient_id"].nunique()),
        lesions=int(table["lesion_id"].nunique()),
        problems=len(collection.cases.problems),
        images={kind: collection.count(f"{kind}_file") for kind in ("view", "crop", "mask")},
        groups={str(group): counted[group] for group in GROUPS},
        pathology={str(name): int(n) for name, n in table["pathology"].value_counts().items()},
        samples=tuple(samples),
        views=_views(table, per_group),
    )


def _views(table: "pd.DataFrame", most: int) -> tuple[Sample, ...]:
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
        )
        for _, (image, same) in zip(range(most), rows.groupby("image_id", sort=False), strict=False)
    )


def to_json(overview: Overview) -> dict[str, Any]:
    return asdict(overview)


def from_json(raw: dict[str, Any]) -> Overview:
    def samples(name: str) -> tuple[Sample, ...]:
        return tuple(Sample(**sample | {"masks": tuple(sample["masks"])}) for sample in raw[name])

    return Overview(**raw | {"samples": samples("samples"), "views": samples("views")})
