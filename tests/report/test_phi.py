"""Nothing that names a patient leaves a file: planted names are sought in everything that is written or said."""

import csv
import io
import json
import logging
import tempfile

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian
from support.report import pdf_pages, pdf_streams

from lemons_core.cli import main
from lemons_core.images import read_image
from lemons_core.report import page as paper
from lemons_core.report import regions_csv, report_pdf, result_json
from lemons_core.simulate.crop import simulate_crop
from lemons_core.vision.detect.analysis import analyse_picture
from lemons_core.vision.network.weights import read_model

# Every planted value holds one of these; the digits stand for dates, numbers and UIDs.
NAMES = ("Zitronella", "Quittenbaum", "Limonenhof", "19470813", "4711081547")


def plant(ds: Dataset) -> None:
    """Names in every kind of place that a header has."""
    ds.PatientName = "Quittenbaum^Zitronella"
    ds.PatientID = "ID-4711081547"
    ds.PatientBirthDate = ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = "19470813"
    ds.PatientSex = "F"
    ds.OtherPatientNames = "Zitronella^Anna"
    ds.PatientAddress = ds.PatientComments = "Limonenhof 7"
    ds.PatientTelephoneNumbers = ds.AccessionNumber = ds.StudyID = "4711081547"
    ds.ReferringPhysicianName = ds.PerformingPhysicianName = ds.OperatorsName = "Quittenbaum^Otto"
    ds.InstitutionName = ds.InstitutionalDepartmentName = ds.StationName = "Limonenhof"
    ds.InstitutionAddress = "Limonenhof 7"
    ds.StudyDescription = ds.SeriesDescription = ds.ProtocolName = ds.ImageComments = "Zitronella Q."
    ds.AcquisitionDeviceProcessingDescription = ds.DerivationDescription = "for Quittenbaum"
    ds.Manufacturer = ds.ManufacturerModelName = "Limonenhof Optik"
    ds.DeviceSerialNumber = ds.DetectorID = "4711081547"
    ds.StudyInstanceUID = "1.2.3.4711081547.1"
    ds.SeriesInstanceUID = "1.2.3.4711081547.2"
    ds.SOPInstanceUID = "1.2.3.4711081547.3"
    ds.FrameOfReferenceUID = "1.2.3.4711081547.4"
    deeper = Dataset()
    deeper.PersonName = "Quittenbaum^Zitronella"
    deeper.add_new(0x00090010, "LO", "Limonenhof")
    deeper.add_new(0x00091001, "LO", "Zitronella")
    nested = Dataset()
    nested.RequestedProcedureDescription = nested.CodeMeaning = "Quittenbaum control"
    nested.ContentSequence = Sequence([deeper])
    ds.RequestAttributesSequence = Sequence([nested])
    # In places that are read: a code that is none, a view that is none, a side that is none.
    ds.ViewCodeSequence = Sequence([nested])
    ds.ViewPosition = "Zitronella"
    ds.ImageLaterality = "Quittenbaum"
    ds.PresentationIntentType = "Limonenhof"
    block = ds.private_block(0x0029, "Limonenhof private", create=True)
    block.add_new(0x01, "LT", "Zitronella Quittenbaum, 19470813")
    block.add_new(0x02, "OB", b"Zitronella Quittenbaum")
    block.add_new(0x03, "SQ", Sequence([deeper]))
    ds.add_new(0x60000010, "US", 16)
    ds.add_new(0x60000011, "US", 16)
    ds.add_new(0x60000022, "LO", "Zitronella")
    ds.add_new(0x60001500, "LO", "Limonenhof")
    ds.add_new(0x60003000, "OW", b"Quittenbaum " * 4)
    ds.add_new(0x60004000, "LT", "Zitronella")
    ds.DataSetTrailingPadding = b"Zitronella"


@pytest.fixture(scope="module")
def planted() -> bytes:
    """A DICOM file full of names around the picture of a simulated crop."""
    pixels = (simulate_crop(("PLEOMORPHIC",), rng=np.random.default_rng(4), size_px=224).pixels * 4000).astype("<u2")
    ds = Dataset()
    with pydicom.config.disable_value_validation():  # some of it breaks the rules for codes, as names in them do
        plant(ds)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.SourceApplicationEntityTitle = "Limonenhof"
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.PrivateInformationCreatorUID = "1.2.3.4711081547.5"
    ds.file_meta.PrivateInformation = b"Zitronella"
    ds.preamble = b"Zitronella Quittenbaum Limonenhof".ljust(128, b"\0")
    ds.Modality = "MG"
    ds.ImagerPixelSpacing = [0.1, 0.1]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelData = pixels.tobytes()
    file = io.BytesIO()
    pydicom.dcmwrite(file, ds, enforce_file_format=True)
    data = file.getvalue()
    assert all(data.count(name.encode()) >= 3 for name in NAMES)
    return data


def traces(data: bytes) -> list[str]:
    """The planted names that are in some bytes, in any case and in the encodings of PDF and JSON."""
    lower, codes = data.lower(), ("utf-8", "utf-16-le", "utf-16-be")
    return [name for name in NAMES if any(name.lower().encode(code) in lower for code in codes)]


def test_downloads_of_one_scan(planted, monkeypatch, caplog, capfd):
    model = read_model()
    with caplog.at_level(logging.DEBUG):
        picture = read_image(planted, name="Quittenbaum_Zitronella.dcm")
        analysis = analyse_picture(picture, model=model)
        heat = np.zeros(picture.pixels.shape, np.float32)
        made = [
            report_pdf(analysis, picture.pixels, model.card, heat=heat),
            result_json(analysis, model.card),
            regions_csv(analysis, model.card),
        ]
        monkeypatch.setattr(paper, "find_spec", lambda name: None)  # letters that can be sought
        made.append(report_pdf(analysis, picture.pixels, model.card))
    assert "scan 1" in " ".join(pdf_pages(made[-1]))
    assert not [traces(pdf_streams(data)) for data in made if traces(pdf_streams(data))]
    assert not traces(caplog.text.encode())
    assert not traces("".join(capfd.readouterr()).encode())


def test_dicom_of_one_scan(planted):
    pytest.importorskip("highdicom", reason="highdicom is optional and not installed")
    from lemons_core.report.dicom import dicom_files

    model = read_model()
    picture = read_image(planted)
    for data in dicom_files(analyse_picture(picture, model=model), picture.pixels, model.card).values():
        assert not traces(data)
        assert "Quittenbaum" not in str(pydicom.dcmread(io.BytesIO(data)))


@pytest.fixture
def own_temporary(tmp_path, monkeypatch):
    """A folder that takes every temporary file of the test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def test_a_run_over_a_folder(planted, tmp_path, own_temporary, capfd, caplog, monkeypatch):
    """Only the tables name the files, as the user did; nothing else says even that."""
    pytest.importorskip("highdicom", reason="highdicom is optional and not installed")
    monkeypatch.setattr(paper, "find_spec", lambda name: None)
    source = tmp_path / "in"
    source.mkdir()
    (source / "Quittenbaum.dcm").write_bytes(planted)
    (source / "Zitronella.dcm").write_bytes(planted[: len(planted) // 2])  # damaged: its message must not tell either
    out = tmp_path / "out"
    folders = [word for kind in ("report", "dicom", "heatmap", "boxes") for word in (f"--{kind}", str(out / kind))]
    with caplog.at_level(logging.DEBUG):
        status = main(["predict", str(source), "--out", str(out / "results.csv"), *folders])
    assert status == 1, "one file was damaged"
    said = "".join(capfd.readouterr())
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.parent != source]
    assert {path.suffix for path in written} >= {".csv", ".jsonl", ".pdf", ".dcm", ".png"}
    for path in written:
        assert not traces(path.name.encode())
        data = pdf_streams(path.read_bytes())
        for file in source.iterdir():
            data = data.replace(str(file).encode(), b"")
        assert not traces(data), path.name
        if path.parent != out:
            assert str(source).encode() not in data
    for file in source.iterdir():
        said = said.replace(str(file), "")
    assert not traces(said.encode())
    assert not traces(caplog.text.replace(str(source), "").encode())
    assert not list(own_temporary.rglob("*"))


def test_the_table_and_the_printed_object_hold_what_was_read_and_no_more(planted, tmp_path, capsys):
    file = tmp_path / "a.dcm"
    file.write_bytes(planted)
    main(["predict", str(file), "--json", "--out", str(tmp_path / "r.csv")])
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["view"], found["laterality"], found["spacing_mm"]) == (None, None, 0.1)
    (row,) = csv.DictReader((tmp_path / "r.csv").open(encoding="utf-8"))
    assert not traces(json.dumps(found).encode())
    assert not traces(json.dumps(row).encode())
