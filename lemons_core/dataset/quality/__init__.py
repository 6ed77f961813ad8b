"""What is wrong with a collection on disk, fault by fault, and what its owner should know of it in five lines."""

from lemons_core.dataset.quality.faults import Fault, FaultKind
from lemons_core.dataset.quality.pixels import count_areas, hash_pixels
from lemons_core.dataset.quality.report import Report, check_collection
from lemons_core.dataset.quality.summary import NextStep, Summary

__all__ = [
    "Fault", "FaultKind", "NextStep", "Report", "Summary", "check_collection", "count_areas", "hash_pixels",
]  # fmt: skip
