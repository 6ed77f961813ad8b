"""What one takes away is complete, readable anywhere, and says what it is."""

import csv
import io
import json
import logging
import re
import sys
from types import SimpleNamespace

import numpy as np
import pydicom
import pytest
from support.report import CARD, analysis, pdf_pages, picture, refusal, region, result

from lemons_core.base import config
from lemons_core.base.errors import LemonsError
from lemons_core.report import page as paper
from lemons_core.report import regions_csv, report_pdf, result_json
from lemons_core.report.files import Files
from lemons_core.report.pictures import cut_around, draw_boxes, fit
from lemons_core.vision.record.findings import CropResult

TWO = result(region(100, 50, 60, 40), region(400, 300, 20, 90, score=0.4, top="vascular", abstained=True))
PIXELS = picture().pixels


@pytest.fixture
def latin(monkeypatch):
    """Without DejaVu the text of a PDF can be read by a test, and the way without it is walked."""
    monkeypatch.setattr(paper, "find_spec", lambda name: None)


def test_every_page_says_what_it_is_and_what_the_model_saw(latin):
    pages = pdf_pages(report_pdf(analysis(TWO), PIXELS, CARD, heat=np.zeros((600, 400), np.float32)))
    assert len(pages) >= 2
    for number, page in enumerate(pages, start=1):
        assert config.NOTICE in page
        assert "trained on simulated calcifications only" in page
        assert f"page {number} of {len(pages)}" in page


def test_the_report_holds_answer_regions_spacing_card_and_warnings(latin):
    text = " ".join(pdf_pages(report_pdf(analysis(TWO, warnings=["Lossy compression."]), PIXELS, CARD)))
    for word in ("90%", "2 regions: 1 micro, 1 not sure", "3.2 mm", "100, 50", "400, 300", "0.070 mm", "scan 1"):
        assert word in text, word
    for word in ("ImagerPixelSpacing", "Lossy compression.", "test-model", "1,234 simulated", "0.912 (0.881-0.934)"):
        assert word in text, word
    assert "Unknown on real mammograms." in text
    assert "heat map" not in text, "none was given"


def test_a_crop_is_answered_as_one_piece(latin):
    crop = CropResult(0.83, {"amorphous": 0.1, "macro": 0.66, "micro": 0.2, "vascular": 0.05}, "macro", malignancy=0.31)
    text = " ".join(pdf_pages(report_pdf(analysis(result(kind="crop", score=0.2), crop=crop), PIXELS, CARD)))
    for word in ("83%", "most probably macro", "66%", "malignancy", "31%", "No region"):
        assert word in text, word


def test_a_refused_picture_gets_its_reason_and_no_figures(latin):
    text = " ".join(pdf_pages(report_pdf(refusal("This is a colour picture."), PIXELS, CARD)))
    assert "Refused: This is a colour picture." in text
    assert "%" not in text.replace("95% interval", "")
    forced = " ".join(pdf_pages(report_pdf(analysis(TWO, forced="This is a colour picture."), PIXELS, CARD)))
    assert "Refused" in forced
    assert "90%" in forced


@pytest.mark.parametrize("name", ["Žluťoučký kůň", "Ωμέγα", "λ → 7", "plain"])
def test_any_title_is_printed(name, caplog, monkeypatch):
    with caplog.at_level(logging.WARNING):
        assert report_pdf(analysis(TWO), PIXELS, CARD, name=name).startswith(b"%PDF")
    assert not caplog.records, "DejaVu has these letters"
    monkeypatch.setattr(paper, "find_spec", lambda module: None)
    assert report_pdf(analysis(TWO), PIXELS, CARD, name=name).startswith(b"%PDF")


def test_forty_regions_break_over_pages(latin):
    many = result(*(region(10 * n, 5 * n, 9, 9, score=1 - n / 50) for n in range(40)))
    pages = pdf_pages(report_pdf(analysis(many), PIXELS, CARD, heat=np.zeros((600, 400), np.float32)))
    assert "390, 195" in " ".join(pages)
    assert sum("Group" in page and "Row, column" in page for page in pages) >= 1
    assert all(config.NOTICE in page for page in pages)


def test_a_report_is_whole_or_not_there(tmp_path):
    path = tmp_path / "new" / "scan-1.pdf"
    for _ in range(2):
        Files(report=path.parent).write(refusal("a cat"), picture(), SimpleNamespace(card=CARD), 1)
    assert [file.name for file in path.parent.iterdir()] == ["scan-1.pdf"]
    assert path.read_bytes().rstrip().endswith(b"%%EOF")


@pytest.mark.parametrize("box", [(0, 0, 10, 10), (590, 390, 10, 10), (200, 0, 300, 20), (0, 0, 600, 400)])
def test_what_is_shown_of_a_region_holds_it_and_stays_in_the_picture(box):
    rows, cols = cut_around(region(*box), (600, 400))
    assert 0 <= rows.start <= box[0] < box[0] + box[2] <= rows.stop <= 600
    assert 0 <= cols.start <= box[1] < box[1] + box[3] <= cols.stop <= 400
    assert rows.stop - rows.start >= 128


def test_marks_lie_around_the_box_and_leave_its_inside_alone():
    grey = np.full((600, 400), 100, np.uint8)
    marked = draw_boxes(grey, TWO.detections)
    assert (marked[100:160, 50:90] == 100).all(), "the finding itself stays as it is"
    assert (marked[99, 50:90] != 100).any()
    small = fit(grey, 150)
    assert small.shape == (150, 100)
    assert fit(small, 1000).shape == small.shape, "never enlarged"


def test_json_and_csv_hold_the_same_boxes():
    found = json.loads(result_json(analysis(TWO, warnings=["w"]), CARD))
    assert (found["file"], found["calcification"], found["refused"]) == ("scan 1", 0.9, None)
    assert (found["width"], found["height"], found["spacing_mm"], found["spacing_source"]) == (400, 600, 0.07, "given")
    assert (found["top"], found["probabilities"]["vascular"]) == ("micro", 0.28), "the highest of any region: 0.4 x 0.7"
    rows = list(csv.DictReader(io.StringIO(regions_csv(analysis(TWO), CARD).decode())))
    for row, box in zip(rows, found["regions"], strict=True):
        assert [int(row[name]) for name in ("row", "col", "height", "width", "spots")] == [
            box[name] for name in ("row", "col", "height", "width", "spots")
        ]
        assert float(row["micro"]) == box["probabilities"]["micro"]
    assert [row["region"] for row in rows] == ["1", "2"]
    assert "malignancy" not in found, "the model knows nothing of it"


def test_a_refused_picture_has_no_probabilities():
    found = json.loads(result_json(refusal("no mammogram"), CARD))
    assert found["refused"] == "no mammogram"
    assert [found[name] for name in ("calcification", "probabilities", "top", "abstained")] == [None] * 4
    assert found["regions"] == []
    assert regions_csv(refusal("no mammogram"), CARD).decode().count("\n") == 1


def walk(item, path=(1,)):
    """(position, item) of a content tree, as PS3.3 counts positions."""
    yield path, item
    for number, child in enumerate(item.get("ContentSequence", ()), start=1):
        yield from walk(child, (*path, number))


def meaning(item):
    return item.ConceptNameCodeSequence[0].CodeMeaning if "ConceptNameCodeSequence" in item else ""


@pytest.fixture
def written():
    pytest.importorskip("highdicom", reason="highdicom is optional and not installed")
    from lemons_core.base.terms import Laterality, View
    from lemons_core.report.dicom import dicom_files

    def write(found, **changes):
        shown = picture(laterality=Laterality.R, view=View.MLO, **changes)
        files = dicom_files(analysis(found, shown), shown.pixels, CARD)
        assert list(files) == ["overlay.dcm", "cad-sr.dcm"]
        return (*(pydicom.dcmread(io.BytesIO(data)) for data in files.values()), shown)

    return write


def test_the_secondary_capture_has_the_grid_of_the_picture_and_the_boxes_in_it(written):
    capture, _, shown = written(TWO)
    assert capture.SOPClassUID.name == "Secondary Capture Image Storage"
    pixels = capture.pixel_array
    assert pixels.shape == (*shown.pixels.shape, 3)
    inside = pixels[100:160, 50:90].astype(int)
    assert (inside.max(-1) == inside.min(-1)).all(), "grey, and nothing drawn over the finding"
    rows, cols = np.nonzero(np.ptp(pixels[:200, :120].astype(int), axis=-1) > 30)
    assert abs(rows.max() - 160) <= 2, "the lower edge of the first box"
    assert abs(cols.min() - 50) <= 2
    assert list(capture.PixelSpacing) == [0.07, 0.07]
    assert (capture.ImageLaterality, capture.ViewPosition) == ("R", "MLO")
    assert "PixelSpacing" not in written(result(source="estimated"))[0], "an estimate is no calibration"


def test_both_files_are_de_identified_and_of_one_new_study(written):
    first, second = written(TWO)[:2]
    for ds in (first, second):
        assert ds.PatientIdentityRemoved == "YES"
        assert str(ds.PatientName) == "De-identified^"
        assert not ds.PatientBirthDate
        assert ds.StudyInstanceUID == first.StudyInstanceUID
        assert config.NOTICE in ds.SeriesDescription
    again = written(TWO)[0]
    assert again.StudyInstanceUID != first.StudyInstanceUID
    assert again.PatientID != first.PatientID, "or an archive would take two people for one"


def test_the_cad_report_names_every_region_at_its_place(written):
    _, report, _ = written(TWO)
    assert report.SOPClassUID.name == "Mammography CAD SR Storage"
    assert (report.ContentTemplateSequence[0].TemplateIdentifier, report.Modality) == ("4000", "SR")
    items = dict(walk(report))
    assert meaning(report) == "Mammography CAD Report"
    assert [meaning(item) for item in report.ContentSequence] == [
        "Language of Content Item and Descendants",
        "Image Library",
        "CAD Processing and Findings Summary",
        "Summary of Detections",
        "Summary of Analyses",
    ]
    findings = [item for item in items.values() if meaning(item) == "Single Image Finding"]
    assert [item.ConceptCodeSequence[0].CodeMeaning for item in findings] == ["Calcification Cluster"] * 2
    for finding, known in zip(findings, TWO.detections, strict=True):
        about = {meaning(item): item for item in finding.ContentSequence}
        corners = np.array(about["Outline"].GraphicData).reshape(-1, 2)
        assert corners.min(0).tolist() == [known.col, known.row]
        assert corners.max(0).tolist() == [known.col + known.width, known.row + known.height]
        assert (corners[0] == corners[-1]).all(), "a closed line"
        assert about["Center"].GraphicData == [known.col + known.width / 2, known.row + known.height / 2]
        certainty = about["Certainty of Finding"].MeasuredValueSequence[0]
        assert (float(certainty.NumericValue), certainty.MeasurementUnitsCodeSequence[0].CodeValue) == (
            pytest.approx(100 * known.score),
            "%",
        )
        assert about["Algorithm Name"].TextValue == CARD.name
        assert ("Calcification Type" in about) is not known.abstained
        assert "Probability of cancer" not in about
    text = " ".join(item.TextValue for item in items.values() if item.get("ValueType") == "TEXT")
    assert config.NOTICE in text
    assert CARD.trained_on in text
    assert "micro 70%" in text


def test_every_reference_in_the_cad_report_leads_to_the_capture(written):
    capture, report, _ = written(TWO)
    items = dict(walk(report))
    places = [tuple(item.ReferencedContentItemIdentifier) for item in items.values()
              if "ReferencedContentItemIdentifier" in item]  # fmt: skip
    assert len(places) == 2 * len(TWO.detections) + 1, "two shapes a region, and what the detection looked at"
    for place in places:
        image = items[place]
        assert image.ValueType == "IMAGE"
        assert image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == capture.SOPInstanceUID
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == capture.SOPInstanceUID
    library = {meaning(item): item for item in items[1, 2, 1].ContentSequence}
    assert library["Image Laterality"].ConceptCodeSequence[0].CodeMeaning == "Right breast"
    assert library["Image View"].ConceptCodeSequence[0].CodeMeaning == "medio-lateral oblique"
    spacing = library["Horizontal Pixel Spacing"].MeasuredValueSequence[0]
    assert float(spacing.NumericValue) == pytest.approx(0.07)


def test_a_cad_report_without_regions_says_so_and_one_with_malignancy_gives_it(written):
    empty = written(result(score=0.05))[1]
    summary = empty.ContentSequence[2].ConceptCodeSequence[0]
    assert summary.CodeMeaning == "All algorithms succeeded; without findings"
    malignant = written(result(region(10, 10, 40, 40, malignancy=0.25)))[1]
    (cancer,) = [item for _, item in walk(malignant) if meaning(item) == "Probability of cancer"]
    assert float(cancer.MeasuredValueSequence[0].NumericValue) == 25


def test_without_highdicom_the_message_says_how_to_install_it(monkeypatch):
    from lemons_core.report.dicom import dicom_files

    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(LemonsError, match=re.escape("pip install highdicom==")):
        dicom_files(analysis(TWO), PIXELS, CARD)
