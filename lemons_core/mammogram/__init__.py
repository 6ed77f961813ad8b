"""The breast in a mammogram: where it lies, whether all of it is there, and how large a pixel must be."""

from lemons_core.mammogram.breast import Breast, find_breast
from lemons_core.mammogram.spacing import FILM_SPACING_MM, Geometry, Spacing, film_if_unknown, find_geometry

__all__ = ["FILM_SPACING_MM", "Breast", "Geometry", "Spacing", "film_if_unknown", "find_breast", "find_geometry"]
