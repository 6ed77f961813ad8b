"""A collection to the report of its faults."""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lemons_core.base.progress import Progress, no_progress
from lemons_core.dataset.collection import Collection
from lemons_core.dataset.join import Duplicate, join_files
from lemons_core.dataset.quality import checks
from lemons_core.dataset.quality.faults import Fault, FaultKind
from lemons_core.dataset.quality.pairs import compare_pairs
from lemons_core.dataset.quality.pixels import measure_pixels
from lemons_core.dataset.quality.summary import Summary, summarise
from lemons_core.dataset.sources.mirror import MirrorProblem
from lemons_core.dataset.sources.skipped import Skipped


@dataclass(frozen=True)
class Report:
    """The faults of one data root.

    images : image files found
    layouts : how they came here
    pixels : whether the pixels were looked at; without, FaultKind.SEVERAL_AREAS and FaultKind.DUPLICATE are not known
    summary : the same for somebody who reads five lines
    skipped, mirror, duplicates : what was passed over, what is wrong with the table of a JPEG mirror, and copies of
        which a better one is used
    """

    root: Path
    images: int
    layouts: tuple[str, ...]
    pixels: bool
    faults: tuple[Fault, ...]
    summary: Summary
    skipped: tuple[Skipped, ...]
    mirror: tuple[MirrorProblem, ...]
    duplicates: tuple[Duplicate, ...]

    def counts(self) -> dict[str, int]:
        """Faults by kind, each weighed by its rows; kinds without a fault count 0."""
        counted: Counter[str] = Counter()
        for fault in self.faults:
            counted[fault.kind] += fault.rows
        return {str(kind): counted[kind] for kind in FaultKind}

    def of_case(self, case_id: str) -> list[Fault]:
        """Faults of one case, and of its patient."""
        patient = "_".join(case_id.split("_")[:2])
        return [fault for fault in self.faults if fault.case in (case_id, patient)]

    def to_json(self) -> dict[str, Any]:
        return {
            "root": str(self.root),
            "images": self.images,
            "layouts": list(self.layouts),
            "pixels": self.pixels,
            "counts": self.counts(),
            "faults": [fault.to_json() for fault in self.faults],
            "summary": self.summary.to_json(),
            "passed_over": {
                name: [asdict(one) for one in getattr(self, name)] for name in ("skipped", "mirror", "duplicates")
            },
        }


def check_collection(
    collection: Collection, *, pixels: bool = True, jobs: int = 2, progress: Progress = no_progress
) -> Report:
    """Look for everything that is known to go wrong with this collection.

    collection : as read_collection gives it
    pixels : decode every mask, and every picture that may be a copy of another. What is found is kept with the index,
        so that the next call decodes only what is new
    jobs : threads that decode
    progress : called with a share 0-1 and a few words
    """
    index = collection.index
    rows = collection.cases.table
    named = rows["case_id"].astype(object)
    rows = rows.assign(**join_files(rows, index), case_id=named.where(named.notna(), None))
    if pixels:
        measure_pixels(index, rows, jobs=jobs, progress=progress)
    faults = _find_faults(rows, collection, pixels=pixels)
    layouts = tuple(map(str, collection.layouts))
    summary = summarise(collection, rows, faults)
    return Report(
        collection.root, len(index.files), layouts, pixels, tuple(faults), summary,
        index.skipped, index.problems, collection.duplicates,
    )  # fmt: skip


def _find_faults(rows: pd.DataFrame, collection: Collection, *, pixels: bool) -> list[Fault]:
    index = collection.index
    owners = checks.find_owners(rows)
    found = [
        *checks.unreadable(index.files, owners),
        *checks.rows_without_image(rows),
        *checks.images_without_row(index.files, owners),
        *compare_pairs(rows, index),
        *checks.sizes_that_differ(rows, index),
        *(checks.several_areas(rows, index) if pixels else ()),
        *(checks.duplicates(index.files, owners) if pixels else ()),
        *checks.both_splits(rows),
        *checks.table_problems(rows, collection.cases.problems),
    ]
    order = list(FaultKind)
    # By what they state, not by where files lie: the same collection in another layout gives the same list.
    found.sort(key=lambda fault: (order.index(fault.kind), fault.case or "", fault.what))
    return found
