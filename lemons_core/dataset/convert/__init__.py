"""A collection's pictures to PNG: 16 bit lossless or 8 bit windowed, with a manifest, going on where it stopped."""

from lemons_core.dataset.convert.many import KINDS, Conversion, convert_collection
from lemons_core.dataset.convert.one import Task, convert_one
from lemons_core.images.png import encode_png

__all__ = ["KINDS", "Conversion", "Task", "convert_collection", "convert_one", "encode_png"]
