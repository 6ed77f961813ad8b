"""The breast in a mammogram: where it lies, whether all of it is there, and how large a pixel must be."""

from lemons_core.mammogram.breast import Breast, enlarge, find_breast, shrink
from lemons_core.mammogram.spacing import (
    FILM_SPACING_MM,
    Geometry,
    Spacing,
    film_if_unknown,
    find_geometry,
    guess_spacing,
    kind_of_pixels,
)

__all__ = [
    "FILM_SPACING_MM",
    "Breast",
    "Geometry",
    "Spacing",
    "enlarge",
    "film_if_unknown",
    "find_breast",
    "find_geometry",
    "guess_spacing",
    "kind_of_pixels",
    "shrink",
]
