"""A collection's pictures to PNG: 16 bit lossless or 8 bit windowed, with a manifest, going on where it stopped."""

from lemons_core.convert.many import KINDS, Conversion, convert_collection
from lemons_core.convert.one import Task, convert_one
from lemons_core.convert.png import encode_png

__all__ = ["KINDS", "Conversion", "Task", "convert_collection", "convert_one", "encode_png"]
