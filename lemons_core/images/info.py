"""What is known of a picture without its pixels: small enough to be kept, and free of anything personal."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from lemons_core.base.terms import Laterality, View, display
from lemons_core.images.picture import Picture


@dataclass(frozen=True)
class ImageInfo:
    """A picture without its pixels.

    height, width : in pixels
    spacing_mm, spacing_source, laterality, view, format, header, notes, warnings : as `Picture` has them
    """

    height: int
    width: int
    spacing_mm: float | None
    spacing_source: str
    laterality: Laterality | None
    view: View | None
    format: str
    header: Mapping[str, str]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int]:
        return self.height, self.width

    def facts(self) -> dict[str, str]:
        """What the file says of itself, ready to show: numbers and words from closed lists, never its name."""
        return {
            "format": self.format,
            "size": f"{self.width:,} x {self.height:,} pixels",
            "pixel spacing": f"{self.spacing_mm:.3f} mm" if self.spacing_mm else "not stated",
            "spacing from": self.spacing_source,
            "side": display(self.laterality) if self.laterality else "not stated",
            "view": str(self.view or "not stated"),
            **self.header,
        }


def info_of(picture: Picture) -> ImageInfo:
    """The same picture without its pixels."""
    height, width = picture.pixels.shape
    shared = {entry.name: getattr(picture, entry.name) for entry in fields(ImageInfo)[2:]}
    return ImageInfo(height, width, **shared | {"header": dict(picture.header)})
