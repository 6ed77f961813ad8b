"""The content tree of a Mammography CAD SR: TID 4000 of DICOM PS3.16 and the templates that it includes.

highdicom has items and modules of structured reports but not this template, so the tree is built item by item.
"""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian, MammographyCADSRStorage, generate_uid

from lemons_core.base import config, extras
from lemons_core.base.terms import Group, Laterality, View
from lemons_core.images.info import ImageInfo
from lemons_core.vision.record.card import ModelCard
from lemons_core.vision.record.findings import Analysis, Detection

_DCM, _MM = codes.DCM, Code("mm", "UCUM", "millimeter")
_SOURCE = Code("260753009", "SCT", "Source")
_IMPRESSION = Code("111034", "DCM", "Individual Impression/Recommendation")  # pydicom's has an invisible sign in it
_LIBRARY_ENTRY = [1, 2, 1]  # the picture: first entry of the Image Library, which follows the language
_TYPES = {  # CID 6010
    Group.AMORPHOUS: codes.cid6010.AmorphousCalcification,
    Group.MACRO: codes.cid6010.Macrocalcifications,
    Group.MICRO: codes.cid6010.MicrocalcificationsOfTheBreast,
    Group.VASCULAR: codes.cid6010.VascularCalcificationRadiographicFinding,
}
_SIDES = {Laterality.L: codes.cid6022.LeftBreast, Laterality.R: codes.cid6022.RightBreast}
_VIEWS = {View.CC: codes.cid4014.CranioCaudal, View.MLO: codes.cid4014.MedioLateralObliqueProjection}


def cad_sr(analysis: Analysis, card: ModelCard, capture: Any, **equipment: str) -> Any:
    """The report as a pydicom Dataset, ready to save.

    analysis : its detections, and side and view of its image
    capture : the image that the coordinates refer to, as a Dataset, of the same study
    equipment : what made it, keyword arguments of highdicom's SOP classes
    """
    sr = extras.require("highdicom.sr", package="highdicom", what="Writing DICOM")
    tree = _Tree(sr, card, capture)
    root = tree.container(_DCM.MammographyCADReport, None, tree.top(analysis), template="4000")
    # The modules are those of a Comprehensive SR, which highdicom knows; only the class differs.
    report = sr.ComprehensiveSR(
        evidence=[capture],
        content=root,
        series_instance_uid=generate_uid(None),
        series_number=2,
        sop_instance_uid=generate_uid(None),
        instance_number=1,
        is_complete=True,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **equipment,
    )
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = MammographyCADSRStorage
    _refer(report)
    return report


class _Tree:
    """Builds content items of one report; the numbers in the comments are templates of PS3.16."""

    def __init__(self, sr: ModuleType, card: ModelCard, capture: Any) -> None:
        self.sr, self.card, self.capture = sr, card, capture

    def top(self, analysis: Analysis) -> list[Any]:
        summary = codes.cid6047
        found = summary.AllAlgorithmsSucceededWithFindings
        if not analysis.detections:
            found = summary.AllAlgorithmsSucceededWithoutFindings
        about = f"{config.NOTICE} Probabilities by a model trained on {self.card.trained_on}."
        findings = [self.impression(number, one) for number, one in enumerate(analysis.detections, start=1)]
        detection = self.code(  # 4017
            _DCM.DetectionPerformed, codes.cid6014.CalcificationCluster, "CONTAINS", self.algorithm()
        )
        return [
            self.code(_DCM.LanguageOfContentItemAndDescendants, Code("en", "RFC5646", "English"), "HAS CONCEPT MOD"),
            self.container(_DCM.ImageLibrary, "CONTAINS", [self.library_entry(analysis.image)]),
            self.code(  # 4001
                _DCM.CADProcessingAndFindingsSummary,
                found,
                "CONTAINS",
                [self.text(_DCM.ImpressionDescription, about, "HAS PROPERTIES"), *findings],
            ),
            self.code(
                _DCM.SummaryOfDetections,
                codes.cid6042.Succeeded,
                "CONTAINS",
                [self.container(_DCM.SuccessfulDetections, "INFERRED FROM", [detection])],  # 4015
            ),
            self.code(_DCM.SummaryOfAnalyses, codes.cid6042.NotAttempted, "CONTAINS"),
        ]

    def library_entry(self, image: ImageInfo) -> Any:
        """4020: what the referenced capture says of itself."""
        context = "HAS ACQ CONTEXT"
        rows = []
        if image.laterality:
            rows.append(self.code(_DCM.ImageLaterality, _SIDES[image.laterality], context))
        if image.view:
            rows.append(self.code(_DCM.ImageView, _VIEWS[image.view], context))
        if "PixelSpacing" in self.capture:
            down, across = map(float, self.capture.PixelSpacing)
            rows.append(self.number(_DCM.HorizontalPixelSpacing, across, _MM, context))
            rows.append(self.number(_DCM.VerticalPixelSpacing, down, _MM, context))
        entry = self.sr.ImageContentItem(
            _SOURCE,
            self.capture.SOPClassUID,
            self.capture.SOPInstanceUID,
            relationship_type="CONTAINS",
        )
        return self.nest(entry, rows)

    def impression(self, number: int, detection: Detection) -> Any:
        """4003 with 4006 inside: one detection."""
        groups = ", ".join(f"{group} {value:.0%}" for group, value in detection.probabilities.items())
        words = (
            f"Region {number}: calcification {detection.score:.0%}; {groups}; "
            f"{'not sure which group' if detection.abstained else f'most probably {detection.top}'}; "
            f"{detection.n_specks} specks over {detection.extent_mm:.1f} mm."
        )
        has = "HAS PROPERTIES"
        finding = [
            self.intent(),
            *self.algorithm(),
            self.percent(_DCM.CertaintyOfFinding, detection.score),
            *([] if detection.malignancy is None else [self.percent(_DCM.ProbabilityOfCancer, detection.malignancy)]),
            *self.geometry(detection),
            *([] if detection.abstained else [self.code(_DCM.CalcificationType, _TYPES[Group(detection.top)], has)]),
            self.number(_DCM.NumberOfCalcifications, detection.n_specks, codes.UCUM.NoUnits, has),
        ]
        cluster = self.code(_DCM.SingleImageFinding, codes.cid6014.CalcificationCluster, "CONTAINS", finding)
        rows = [self.intent(), self.text(_DCM.ImpressionDescription, words, "CONTAINS"), cluster]
        return self.container(_IMPRESSION, "INFERRED FROM", rows)

    def geometry(self, detection: Detection) -> list[Any]:
        """4021: centre and box, in columns and rows from the upper left corner of the picture."""
        left, top = float(detection.col), float(detection.row)
        right, bottom = left + detection.width, top + detection.height
        centre = [[(left + right) / 2, (top + bottom) / 2]]
        outline = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
        return [
            self.sr.ScoordContentItem(name, kind, np.array(points), relationship_type="HAS PROPERTIES")
            for name, kind, points in ((_DCM.Center, "POINT", centre), (_DCM.Outline, "POLYLINE", outline))
        ]

    def algorithm(self) -> list[Any]:
        """4019."""
        has = "HAS PROPERTIES"
        return [
            self.text(_DCM.AlgorithmName, self.card.name, has),
            self.text(_DCM.AlgorithmVersion, f"{self.card.created} {self.card.sha256[:16]}".strip(), has),
            self.text(_DCM.AlgorithmParameters, f"trained on {self.card.trained_on}", has),
        ]

    def intent(self) -> Any:
        intent = codes.cid6034.PresentationOptionalRenderingDeviceMayPresent
        return self.code(_DCM.RenderingIntent, intent, "HAS CONCEPT MOD")

    def percent(self, name: Code, share: float) -> Any:
        return self.number(name, round(100 * share, 1), codes.UCUM.Percent, "HAS PROPERTIES")

    def code(self, name: Code, value: Code, relation: str, inside: Sequence[Any] = ()) -> Any:
        return self.nest(self.sr.CodeContentItem(name, value, relationship_type=relation), inside)

    def text(self, name: Code, value: str, relation: str) -> Any:
        return self.sr.TextContentItem(name, value, relationship_type=relation)

    def number(self, name: Code, value: float, unit: Code, relation: str) -> Any:
        return self.sr.NumContentItem(name, value, unit, relationship_type=relation)

    def container(self, name: Code, relation: str | None, inside: Sequence[Any], *, template: str | None = None) -> Any:
        item = self.sr.ContainerContentItem(
            name, is_content_continuous=False, template_id=template, relationship_type=relation
        )
        return self.nest(item, inside)

    def nest(self, item: Any, inside: Sequence[Any]) -> Any:
        if inside:
            item.ContentSequence = list(inside)
        return item


def _refer(item: Any) -> None:
    """Point to the picture in the Image Library, by reference: from coordinates, and from the detection performed.

    highdicom knows items by value only, so these are added when it has built the rest.
    """
    name = item.ConceptNameCodeSequence[0].CodeValue if "ConceptNameCodeSequence" in item else ""
    relation = "SELECTED FROM" if item.ValueType == "SCOORD" else None
    if name == _DCM.DetectionPerformed.value:
        relation = "HAS PROPERTIES"
    children = list(item.get("ContentSequence", ()))
    for child in children:
        _refer(child)
    if relation:
        reference = Dataset()
        reference.RelationshipType = relation
        reference.ReferencedContentItemIdentifier = _LIBRARY_ENTRY
        item.add_new("ContentSequence", "SQ", [*children, reference])
