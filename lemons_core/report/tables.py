"""One result as JSON and as a table, as bytes to download."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from lemons_core.base.terms import GROUPS
from lemons_core.vision.record.card import ModelCard
from lemons_core.vision.record.describe import describe
from lemons_core.vision.record.findings import Analysis, Refusal

REGION_COLUMNS = (
    *("file", "region", "row", "col", "height", "width", "score", "spots", "extent_mm", *map(str, GROUPS)),
    *("top", "abstained", "malignancy"),
)
FILE_COLUMNS = (
    *("file", "scan", "error", "refused", "kind", "width", "height", "spacing_mm", "spacing_source", "laterality"),
    *("view", "calcification", *map(str, GROUPS), "top", "abstained", "malignancy", "regions", "warnings", "model"),
    *("trained_on", "sha256"),
)


def result_json(analysis: Analysis | Refusal, card: ModelCard, *, name: str = "scan 1") -> bytes:
    """The object that `predict --json` prints for a file, with `name` in the place of the path."""
    return json.dumps(describe(analysis, card, name), indent=2, ensure_ascii=False).encode()


def regions_csv(analysis: Analysis | Refusal, card: ModelCard, *, name: str = "scan 1") -> bytes:
    """One row a region, none of a refusal; boxes in pixels, probabilities 0-1."""
    return table_bytes(REGION_COLUMNS, region_rows(describe(analysis, card, name)))


def region_rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows for REGION_COLUMNS from one object of `predict --json`."""
    return [
        {"file": found["file"], "region": number, **region, **region["probabilities"]}
        for number, region in enumerate(found.get("regions", ()), start=1)
    ]


def file_row(found: dict[str, Any]) -> dict[str, Any]:
    """A row for FILE_COLUMNS from one object of `predict --json`."""
    model = found.get("model", {})
    return {
        **found,
        **(found.get("probabilities") or {}),
        "regions": len(found["regions"]) if "regions" in found else None,
        "warnings": " ".join(found.get("warnings", ())),
        "model": model.get("name"),
        "trained_on": model.get("trained_on"),
        "sha256": model.get("sha256"),
    }


def table_bytes(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> bytes:
    """Rows as CSV in UTF-8; what a row has beyond the columns is left out, what it lacks stays empty."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
