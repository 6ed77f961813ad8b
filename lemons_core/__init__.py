"""Know Your Lemons: breast calcifications in mammograms, read honestly.

    import lemons_core as kyl

    picture = kyl.read_image("view.dcm")
    found = kyl.analyse(picture.pixels, spacing_mm=picture.spacing_mm)
    found.score, found.detections
    kyl.predict_crop(crop_pixels, spacing_mm=0.05).probabilities
    kyl.read_collection("/data/cbis-ddsm").table

Importing this package loads neither torch nor xgboost nor streamlit; each name is fetched when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lemons_core.dataset.collection import read_collection
    from lemons_core.images import read_image
    from lemons_core.vision.detect.classify import predict_crop
    from lemons_core.vision.detect.detector import analyse

__version__ = "0.1.0"
__all__ = ["analyse", "predict_crop", "read_collection", "read_image"]

_HOMES = {
    "analyse": "vision.detect.detector",
    "predict_crop": "vision.detect.classify",
    "read_collection": "dataset.collection",
    "read_image": "images",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lemons_core' has no attribute '{name}'")
    return getattr(import_module(f"lemons_core.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
