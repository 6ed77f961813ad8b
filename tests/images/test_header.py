"""What a DICOM header says of side, view and spacing; warnings; and nothing that could name a patient."""

import logging
import pickle
import warnings

import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from support.dicom import PLANTED, dataset, file_bytes, ramp, read_picture

from lemons_core.base.errors import ImageError
from lemons_core.base.terms import Laterality, View
from lemons_core.images import read_image


def test_unusual_high_bit_warns() -> None:
    assert any("HighBit" in warning for warning in read_picture(ramp(12), bits=12, HighBit=15).warnings)


def test_raw_digital_and_foreign_modalities_warn() -> None:
    picture = read_picture(ramp(), PresentationIntentType="FOR PROCESSING", Modality="CT")
    assert any("for processing" in warning for warning in picture.warnings)
    assert any("CT" in warning for warning in picture.warnings)


def _code(value: str) -> list[Dataset]:
    item = Dataset()
    item.CodeValue = value
    return [item]


@pytest.mark.parametrize(
    ("elements", "laterality", "view"),
    [
        ({"ImageLaterality": "R", "ViewPosition": "CC"}, "R", "CC"),
        ({"ImageLaterality": "L", "Laterality": "R", "ViewPosition": "MLO"}, "L", "MLO"),
        ({"Laterality": "L", "PatientOrientation": "MLO"}, "L", "MLO"),
        ({"PatientOrientation": ["A", "FR"], "ViewCodeSequence": _code("R-10226")}, None, "MLO"),
        ({"ViewCodeSequence": _code("399162004"), "ImageLaterality": "B"}, None, "CC"),
        ({"ViewPosition": "ML"}, None, None),
        ({}, None, None),
    ],
)
def test_side_and_view(elements: dict[str, object], laterality: str | None, view: str | None) -> None:
    picture = read_picture(ramp(), **elements)
    assert picture.laterality == (laterality and Laterality(laterality))
    assert picture.view == (view and View(view))


@pytest.mark.parametrize(
    ("elements", "spacing", "source"),
    [
        ({"ImagerPixelSpacing": ["0.07", "0.07"], "PixelSpacing": ["0.06", "0.06"]}, 0.07, "ImagerPixelSpacing"),
        ({"PixelSpacing": ["0.05", "0.05"]}, 0.05, "PixelSpacing"),
        ({"PixelSpacing": ["0.05", "0.06"]}, 0.055, "PixelSpacing"),
        ({"ImagerPixelSpacing": ["0", "0"], "PixelSpacing": ["0.05", "0.05"]}, 0.05, "PixelSpacing"),
        ({"PixelSpacing": ["-0.05", "-0.05"]}, None, "unknown"),
        ({"PixelSpacing": ["5", "5"]}, None, "unknown"),
        ({"PixelSpacing": "0.05"}, None, "unknown"),
        ({}, None, "unknown"),
    ],
)
def test_dicom_spacing(elements: dict[str, object], spacing: float | None, source: str) -> None:
    picture = read_picture(ramp(), **elements)
    assert picture.spacing_mm == (spacing and pytest.approx(spacing))
    assert picture.spacing_source == source
    assert any("No pixel spacing" in warning for warning in picture.warnings) == (spacing is None)


def test_uneven_spacing_is_noted_and_text_in_it_refused() -> None:
    assert any("mean" in note for note in read_picture(ramp(), PixelSpacing=["0.05", "0.06"]).notes)
    ds = dataset(ramp())
    ds.add_new("PixelSpacing", "LO", PLANTED)
    picture = read_image(file_bytes(ds, uid.ImplicitVRLittleEndian))
    assert picture.spacing_mm is None and any("makes no sense" in warning for warning in picture.warnings)


@pytest.mark.filterwarnings("ignore")  # pydicom's own, while the file is written
def test_no_planted_name_leaves_the_header(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    texts = ("PatientID", "StudyDescription", "SeriesDescription", "ImageComments", "InstitutionName", "OperatorsName",
             "Manufacturer", "StationName", "ViewPosition", "ImageLaterality", "Modality", "PresentationIntentType",
             "PatientOrientation", "VOILUTFunction", "PixelSpacing", "WindowCenter", "WindowWidth", "RescaleSlope",
             "RescaleIntercept", "NumberOfFrames", "StudyDate", "LossyImageCompression", "SOPClassUID")  # fmt: skip
    ds = dataset(ramp())
    for keyword in texts:
        ds.add_new(keyword, "LO", PLANTED)
    data = file_bytes(ds)
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        picture = read_image(data)
        with pytest.raises(ImageError) as cut:
            read_image(data[:-2000])
    seen = repr(picture) + str(cut.value) + caplog.text + "".join(str(w.message) for w in caught)
    seen += "".join(capfd.readouterr())
    assert "Zitrone" not in seen
    assert "1.2.826" not in repr(picture)
    assert "Zitrone" not in repr(pickle.dumps(picture))
