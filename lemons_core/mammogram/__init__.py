"""The breast in a mammogram: where it lies, whether all of it is there, and how large a pixel must be."""

from lemons_core.mammogram.breast import VIEW_MM, Breast, enlarge, find_breast, shrink
from lemons_core.mammogram.spacing import FILM_SPACING_MM, SpacingGuess, estimate_spacing, guess_spacing, kind_of_pixels

__all__ = [
    "FILM_SPACING_MM",
    "VIEW_MM",
    "Breast",
    "SpacingGuess",
    "enlarge",
    "estimate_spacing",
    "find_breast",
    "guess_spacing",
    "kind_of_pixels",
    "shrink",
]
