"""What is known of a picture without its pixels: small enough to be kept, and free of anything personal."""

from dataclasses import dataclass, fields

from lemons_core.base.terms import display
from lemons_core.images.picture import FileFacts, Picture


@dataclass(frozen=True, kw_only=True)
class ImageInfo(FileFacts):
    """A picture without its pixels; height and width in pixels."""

    height: int
    width: int

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
    facts = {entry.name: getattr(picture, entry.name) for entry in fields(FileFacts)}
    return ImageInfo(height=height, width=width, **facts | {"header": dict(picture.header)})
