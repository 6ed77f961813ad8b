"""What an analysis asks for and what it finds, as plain values: pages, reports and files read them without torch."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # both come with readers of pixels, which a page needs only when it has some
    from lemons_core.images.info import ImageInfo
    from lemons_core.mammogram import Spacing

# A detection below this probability is left out.
MIN_SCORE = 0.05
# From which score the app shows detections at first: in a view about one false one, simulated. A crop was chosen.
SHOWN_FROM = {"view": 0.15, "crop": 0.5}


@dataclass(frozen=True)
class CropResult:
    """What the model makes of one crop as one piece. Probabilities, not a diagnosis.

    calcification : 0-1, that there is any calcification
    probabilities : 0-1 for each group; a picture can hold several groups, so they need not sum to one
    top : the most probable group
    abstained : the honest answer is "not sure": the probability of any calcification, or of the top group, lies in the
        band that the model card names
    malignancy : 0-1, or None for a model that was trained without pathology
    """

    calcification: float
    probabilities: dict[str, float]
    top: str
    abstained: bool = False
    malignancy: float | None = None


@dataclass(frozen=True)
class Detection:
    """Calcifications in one part of an image. Probabilities, not a diagnosis.

    row, col, height, width : box in pixels of the image as given
    score : 0-1, calibrated probability that there is calcification at all
    n_specks : how many specks were told apart
    extent_mm : longest distance between specks
    probabilities : 0-1 for each group if there is calcification, not summing to one; top : the most probable group
    abstained : the honest answer to "which kind" is "not sure"
    malignancy : 0-1, or None for a model trained without pathology
    speck_coords : (n_specks, 2) row and column of each speck, in pixels of the image as given
    """

    row: int
    col: int
    height: int
    width: int
    score: float
    n_specks: int
    extent_mm: float
    probabilities: dict[str, float]
    top: str
    abstained: bool
    malignancy: float | None
    speck_coords: np.ndarray


@dataclass(frozen=True)
class DetectionResult:
    """What the model finds in one image.

    score : 0-1, that the image holds any calcification
    detections : by falling score
    kind : "view" (a whole mammogram) or "crop" (a part of one)
    spacing : pixel spacing that was used, and how it is known
    """

    score: float
    detections: tuple[Detection, ...]
    kind: str
    spacing: "Spacing"


@dataclass(frozen=True)
class AnalysisOptions:
    """How a picture is to be analysed.

    kind : "view" or "crop"; None: told from the picture
    spacing_mm : pixel spacing of a picture that does not state its own; None: estimated, or as of film
    min_score : detections with a lower calibrated probability are left out
    force : go on with a picture that is refused
    """

    kind: str | None = None
    spacing_mm: float | None = None
    min_score: float = MIN_SCORE
    force: bool = False


@dataclass(frozen=True)
class Refusal:
    """A picture that is taken for no mammogram.

    reason : why, in plain words
    """

    image: "ImageInfo"
    reason: str


@dataclass(frozen=True)
class Analysis:
    """What the model says of one picture.

    image : the picture without its pixels
    result : what was found
    crop : the answer to the picture as one piece; None for a whole view
    warnings : what a reader must know before believing a number
    forced : why the picture would have been refused, had the user not gone on; None when it would not
    """

    image: "ImageInfo"
    result: DetectionResult
    crop: CropResult | None
    warnings: tuple[str, ...]
    forced: str | None = None

    @property
    def detections(self) -> tuple[Detection, ...]:
        return self.result.detections

    def shown_from(self, min_score: float) -> "Analysis":
        """The same without the detections of a lower score."""
        kept = tuple(detection for detection in self.detections if detection.score >= min_score)
        return replace(self, result=replace(self.result, detections=kept))
