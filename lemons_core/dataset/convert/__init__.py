"""A collection's pictures to PNG: 16 bit lossless or 8 bit windowed, with a manifest, going on where it stopped."""

from lemons_core.dataset.convert.many import KINDS, Conversion, ConversionOptions, convert_collection
from lemons_core.dataset.convert.missing import Failure
from lemons_core.dataset.convert.one import Task, convert_one

__all__ = ["KINDS", "Conversion", "ConversionOptions", "Failure", "Task", "convert_collection", "convert_one"]
