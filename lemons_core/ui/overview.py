"""What the start page must know of a data root, as plain values without pandas."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lemons_core.terms import GROUPS

if TYPE_CHECKING:  # pandas comes with it, and the server holds an Overview without pandas
    from lemons_core.collection import Collection


@dataclass(frozen=True)
class Sample:
    """One crop on disk that can be shown or classified."""

    case_id: str
    file: str
    group: str
    morphology: str
    pathology: str


@dataclass(frozen=True)
class Overview:
    """Counts of the calcification rows of one data root, and its crops.

    images : rows that have a view, a crop, a mask on disk
    groups : rows of each group; a compound type counts in each of its groups
    samples : at most `per_group` crops a group, test rows first
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

    def of_group(self, group: str) -> list[Sample]:
        return [sample for sample in self.samples if sample.group == group]


def build_overview(collection: "Collection", *, simulated: bool, per_group: int = 40) -> Overview:
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
        simulated=simulated,
        rows=len(table),
        patients=int(table["patient_id"].nunique()),
        lesions=int(table["lesion_id"].nunique()),
        problems=len(collection.cases.problems),
        images={kind: collection.count(f"{kind}_file") for kind in ("view", "crop", "mask")},
        groups={str(group): counted[group] for group in GROUPS},
        pathology={str(name): int(n) for name, n in table["pathology"].value_counts().items()},
        samples=tuple(samples),
    )


def to_json(overview: Overview) -> dict[str, Any]:
    return asdict(overview)


def from_json(raw: dict[str, Any]) -> Overview:
    return Overview(**raw | {"samples": tuple(Sample(**sample) for sample in raw["samples"])})
