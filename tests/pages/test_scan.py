"""The scan page through app.py: crops, whole views, many at once, what is refused, what is taken away, what is left."""

import io
import json
import logging
import pickle
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian
from streamlit.testing.v1 import AppTest
from support.pages import ROOT, charts, open_page, pictures, words

from lemons_core.base import config
from lemons_core.base.config import DataChoice, Origin
from lemons_core.base.errors import ImageError
from lemons_core.charts.base import probability_figure
from lemons_core.dataset.collection import read_collection
from lemons_core.dataset.overview import Overview
from lemons_core.images import read_image
from lemons_core.mammogram import Geometry, Spacing
from lemons_core.ui.scan import analyses, files, uploads
from lemons_core.ui.scan.analyses import Scan
from lemons_core.ui.scan.uploads import Upload
from lemons_core.ui.shell import state, worker
from lemons_core.vision.record.card import read_card
from lemons_core.vision.record.findings import AnalysisOptions, Detection, DetectionResult

PAGE = "pages/scan.py"
GROUPS = {"amorphous": 0.2, "macro": 0.1, "micro": 0.8, "vascular": 0.05}


@pytest.fixture(scope="module")
def seen(demo) -> Overview:
    return worker.read_overview(DataChoice(Origin.DEMO, demo), progress=lambda *_: None)


@pytest.fixture(scope="module")
def crop(seen) -> bytes:
    return Path(seen.samples[0].file).read_bytes()


@pytest.fixture(scope="module")
def view(seen) -> bytes:
    return Path(seen.views[0].file).read_bytes()


def region(row: int, col: int, *, score: float = 0.9, abstained: bool = False) -> Detection:
    return Detection(row, col, 90, 120, score, 7, 6.5, GROUPS, "micro", abstained, None, np.array([[row, col]]))


@pytest.fixture
def found(monkeypatch) -> list[Detection]:
    """Regions that every analysis finds: the page is tested here, not how good the model is."""
    regions = [region(900, 700), region(300, 400, score=0.6, abstained=True), region(1200, 500, score=0.4)]

    def find_geometry(pixels, *, spacing_mm, kind, breast):
        kind = kind or ("view" if max(pixels.shape) > 1600 else "crop")
        return Geometry(kind, Spacing(spacing_mm or 0.07, "given" if spacing_mm else "estimated"), breast)

    def detect(image, geometry, model, *, min_score, progress):
        progress(0.5, "looking for specks")
        inside = tuple(regions) if geometry.kind == "view" else ()
        score = max([0.1, *(one.score for one in inside)])
        return DetectionResult(score, inside, geometry.kind, geometry.spacing)

    monkeypatch.setattr("lemons_core.vision.detect.analysis.find_geometry", find_geometry)
    monkeypatch.setattr("lemons_core.vision.detect.analysis.detect", detect)
    return regions


def upload(*files: tuple[str, bytes]) -> AppTest:
    at = open_page(PAGE)
    return give(at, *files)


def give(at: AppTest, *files: tuple[str, bytes]) -> AppTest:
    at.file_uploader[0].set_value([(name, data, "application/octet-stream") for name, data in files]).run()
    assert not at.exception, at.exception
    return at


def head(at: AppTest) -> dict:
    """What the viewer was told, with the picture that it shows."""
    data = at.get("bidi_component")[0].proto.bytes
    size = int.from_bytes(data[:4])
    return json.loads(data[4 : 4 + size]) | {"bytes": data[4 + size :]}


def listed(at: AppTest) -> list[str]:
    """What the list of several pictures says of each."""
    return at.dataframe[0].value["answer"].tolist()


def press(at: AppTest, label: str) -> AppTest:
    next(button for button in at.button if button.label == label).click().run()
    assert not at.exception, at.exception
    return at


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def photo() -> bytes:
    return png(np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8))


def packed(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_a_sample_crop_gets_probabilities_and_a_heat_map(demo, seen):
    at = open_page(PAGE, sample=seen.of_group("micro")[0].case_id)
    assert charts(at)[0]["data"][0]["y"] == ["any calcification", "amorphous", "macro", "micro", "vascular"]
    assert "Any calcification:" in words(at) and "not a diagnosis" in words(at)
    assert "Grad-CAM for" in pictures(at) and "simulated" in head(at)["alt"]
    assert at.query_params["sample"], "the choice can be linked to"


def test_sample_and_class_come_from_the_address(demo, seen):
    sample = next(sample for sample in seen.samples if sample.group == "vascular")
    at = open_page(PAGE, sample=sample.case_id, **{"class": "macro"})
    assert at.selectbox[0].value == sample.case_id and "Grad-CAM for macro" in pictures(at)


def test_a_nonsense_address_falls_back(demo):
    at = open_page(PAGE, sample="../../etc/passwd", region="²", **{"class": "nonsense"})
    assert charts(at) and not at.error


def test_a_whole_view_is_answered_with_places_to_choose(demo, seen, found):
    at = open_page(PAGE, sample=seen.views[0].case_id)
    assert "3 places that look like calcification" in words(at)
    assert "1 not sure" in words(at) and "place 1, **90%**" in words(at)
    told = head(at)
    assert [shape["label"] for shape in told["shapes"]] == ["2", "3", "1"], "the chosen one is drawn last"
    assert told["shapes"][-1]["box"] == [700, 900, 820, 990] and told["shapes"][-1]["chosen"]
    assert "not sure" in told["shapes"][0]["words"]
    shown = np.asarray(Image.open(io.BytesIO(told["bytes"])))
    assert shown.shape == (told["height"], told["width"]) and shown.ndim == 2, "full resolution, grey"
    table = at.dataframe[0].value
    assert table["most probable"].tolist() == ["micro", "not sure", "micro"] and table["specks"].tolist() == [7, 7, 7]
    assert table["score"].tolist() == pytest.approx([90, 60, 40]) and "Place 1" in words(at)


def test_the_chosen_place_lives_in_the_address_and_does_not_outlive_its_picture(demo, seen, found):
    at = open_page(PAGE, sample=seen.views[0].case_id, region="3")
    assert head(at)["shapes"][-1]["label"] == "3" and "close look at place 3" in words(at) + heading(at)
    at.selectbox[0].set_value(seen.views[1].case_id).run()
    assert head(at)["shapes"][-1]["label"] == "1" and "region" not in at.query_params


def heading(at: AppTest) -> str:
    return "\n".join(element.value for element in at.subheader)


def test_no_place_is_an_answer_too(demo, view, found):
    found.clear()
    at = upload(("a.dcm", view))
    assert "No place looks like calcification" in words(at) and not head(at)["shapes"]
    assert not at.error and not charts(at) and "Grad-CAM" not in pictures(at)


def test_the_heat_map_is_laid_on_the_whole_view_where_it_belongs(demo, seen, view, found):
    table = read_collection(demo).table
    mask = table.loc[table["image_id"] == seen.views[0].case_id, "mask_file"].iloc[0]
    middle = np.argwhere(read_image(mask).pixels > 0.5).mean(axis=0)  # where calcium raises the score
    row, col = (middle - (45, 60)).astype(int).tolist()
    found[:] = [region(row, col)]
    at = upload(("a.dcm", view))
    plain = np.asarray(Image.open(io.BytesIO(head(at)["bytes"])))
    at.toggle[0].set_value(True).run()
    hot = np.asarray(Image.open(io.BytesIO(head(at)["bytes"]))).astype(int)
    assert hot.shape == (*plain.shape, 3)
    coloured = np.abs(hot - hot.mean(axis=2, keepdims=True)).max(axis=2) > 20
    rows, columns = np.nonzero(coloured)
    margin = round(8 / dcmread(io.BytesIO(view)).ImagerPixelSpacing[0]) + 8  # blocks of JPEG
    assert len(rows), "something is hot"
    assert row - margin <= rows.min() and rows.max() <= row + 90 + margin
    assert col - margin <= columns.min() and columns.max() <= col + 120 + margin


def test_the_visitor_says_what_it_is_and_how_large_its_pixels_are(demo, view, found):
    pixels = read_image(view).pixels
    middle = (pixels[300:1600, 100:1200] * 255).astype(np.uint8)  # without a header
    at = upload(("a.png", png(middle)))
    assert "Any calcification" in words(at) and facts(at)["taken as"] == "crop"
    at.button_group(key=state.SCAN_KIND).set_value("whole view").run()
    assert "3 places" in words(at) and facts(at)["taken as"] == "whole view"
    at.number_input[0].set_value(0.1).run()
    assert "28 x 25 mm" in pictures(at), "the window: 8 mm around 120 x 90 pixels of 0.1 mm"


def facts(at: AppTest) -> dict[str, str]:
    table = at.table[0].value
    return dict(zip(table["Field"], table["Value"], strict=True))


def test_several_files_and_a_zip_have_a_line_each(demo, crop, view, found):
    data = packed(**{"a/crop.dcm": crop, "notes.txt": b"Dear reader", "../evil.png": b"x", "photo.png": photo()})
    at = upload(("view.dcm", view), ("many.zip", data))
    lines = listed(at)
    assert len(lines) == 5 and lines[0].startswith("3 places, the first 90%")
    assert lines[1].startswith("crop, any calcification") and "not an image" in lines[2]
    assert "leads out of the ZIP" in lines[3] and lines[4] == "refused: no mammogram"
    assert at.dataframe[0].value["file"].tolist() == ["view.dcm", "crop.dcm", "notes.txt", "evil.png", "photo.png"]
    assert "3 places" in words(at), "the first is shown"
    assert not at.error, "the faults of the others are not in the way"


def test_of_too_many_the_first_are_taken_and_that_is_said(demo, crop, found):
    files = {f"{number}.dcm": crop + bytes(2 * number) for number in range(uploads.MOST + 3)}
    at = upload(("many.zip", packed(**files)))
    assert f"Only the first {uploads.MOST} of {uploads.MOST + 3}" in at.error[0].value
    assert len(listed(at)) == uploads.MOST and len(at.session_state[state.SCAN_JOBS]) <= analyses.MOST_KEPT


def test_a_damaged_zip_is_told_and_a_good_file_still_works(demo, crop):
    at = upload(("many.zip", b"PK\x03\x04 and then nothing"))
    assert "damaged" in at.error[0].value and not charts(at)
    give(at, ("a.dcm", crop))
    assert not at.error and charts(at)


def test_what_is_no_mammogram_is_refused_and_goes_on_at_the_visitors_word(demo):
    at = upload(("photo.png", photo()))
    assert "not taken for a mammogram" in words(at) and "colour" in words(at).lower()
    assert not charts(at) and not at.error
    press(at, "Go on anyhow")
    assert charts(at) and "Read at your word" in at.warning[0].value


def test_an_upload_stays_through_other_pages_until_it_is_removed(demo, crop):
    at = upload(("mine.dcm", crop))
    assert "your picture" in head(at)["alt"]
    answer = charts(at)
    at.switch_page("pages/home.py").run()
    at.switch_page(PAGE).run()
    assert "your picture" in head(at)["alt"] and charts(at) == answer
    press(at, "Remove my pictures")
    assert "your picture" not in head(at)["alt"]
    assert state.SCAN_UPLOADS not in at.session_state


def test_an_upload_is_answered_without_any_data(monkeypatch, tmp_path, crop):
    monkeypatch.setenv("LEMONS_DATA", str(tmp_path))
    at = open_page(PAGE)
    assert "No case-description CSV" in at.error[0].value, "the folder's fault is told"
    assert charts(give(at, ("a.dcm", crop)))


def huge_header() -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("text.dcm", b"this is a letter, not a scan", "not an image"),
        ("empty.dcm", b"", "empty"),
        ("dot.png", png(np.zeros((1, 1), np.uint8)), "too small"),
        ("huge.png", huge_header(), "too many pixels"),
        ("report.pdf", b"%PDF-1.7 ...", "PDF"),
    ],
)
def test_a_bad_file_gets_its_message_and_the_page_goes_on(demo, crop, name, data, message):
    at = upload((name, data))
    assert message in at.error[0].value and name in words(at)
    assert not charts(at)
    give(at, ("good.dcm", crop))
    assert not at.error and charts(at)


def test_a_truncated_dicom_gets_its_message(demo, crop):
    at = upload(("half.dcm", crop[: len(crop) // 2]))
    assert "half.dcm" in words(at) and "damaged or cut short" in at.error[0].value


def test_names_from_files_are_never_markup(demo, crop):
    at = upload(("![x](http://a.example/y.png)<script>$x$.dcm", crop[:300]))
    assert at.error and "](http" not in "\n".join(e.value for e in (*at.markdown, *at.caption, *at.warning, *at.error))


# --- what is left of a patient

PLANTED = "Zyxwvut^Planted"


def planted(data: bytes) -> bytes:
    """The file with a name in standard, private and nested elements."""
    ds = dcmread(io.BytesIO(data))
    for keyword in ("PatientName", "ReferringPhysicianName", "InstitutionName", "StudyDescription", "SeriesDescription",
                    "ImageComments", "OperatorsName", "PatientComments", "StationName"):  # fmt: skip
        setattr(ds, keyword, PLANTED)
    ds.PatientID = ds.AccessionNumber = PLANTED[:16]
    inner = Dataset()
    inner.PatientName = inner.CodeMeaning = PLANTED
    ds.RequestAttributesSequence = Sequence([inner])
    ds.private_block(0x0099, "PLANTED", create=True).add_new(1, "LO", PLANTED)
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian  # else deflation hides what is sought
    buffer = io.BytesIO()
    ds.save_as(buffer)
    assert buffer.getvalue().count(b"Planted") > 10
    return buffer.getvalue()


def test_planted_names_leave_no_trace_on_the_page_in_logs_or_in_files(demo, view, found, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    data = planted(view)
    with caplog.at_level(logging.DEBUG):
        at = upload(("a.dcm", data), ("b.dcm", data[:-5000]))
    sent = "\n".join(str(node.proto) for node in at._tree if getattr(node, "proto", None) is not None)
    assert "3 places" in sent and "a.dcm" in sent, "this is what the browser gets"
    assert not [text for text in (sent, caplog.text) if "Planted" in text or "Zyxw" in text]
    assert not list(tmp_path.rglob("*")), "nothing was written"


def test_what_is_taken_away_is_whole_and_names_nobody(demo, view, found):
    pytest.importorskip("highdicom")
    data = planted(view)
    upload = Upload("key", f"{PLANTED}.dcm", lambda: data)
    scan = Scan(upload, analyses._work(upload, AnalysisOptions(), lambda *_: None))
    card = read_card(config.SHIPPED_MODEL)
    made = {suffix: files.make(suffix, scan, card, "scan 1") for _, suffix, _ in files.KINDS}
    with zipfile.ZipFile(io.BytesIO(made["-dicom.zip"])) as archive:
        made |= {name: archive.read(name) for name in archive.namelist()}
    assert made[".pdf"].startswith(b"%PDF") and len(json.loads(made[".json"])["regions"]) == 3
    assert made[".csv"].count(b"\n") == 4
    overlay = np.asarray(Image.open(io.BytesIO(made["-overlay.png"])))
    assert overlay.shape == (*scan.analysis.image.shape, 3)
    assert not [name for name, content in made.items() if b"Planted" in content or b"Zyxw" in content]


# --- small pieces, without a page


def test_the_page_paints_before_anything_heavy_is_loaded():
    code = (
        "import sys; from lemons_core.ui.scan import analyses, files, heat, uploads, view\n"
        "print([m for m in ('torch', 'pandas', 'pydicom', 'scipy', 'fpdf') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_the_bars_show_where_the_model_is_not_sure():
    drawn = probability_figure(0.9, GROUPS, {"calcification": (0.2, 0.6), "micro": (0.4, 0.7)}).layout.shapes
    assert [(shape.x0, shape.x1, round((shape.y0 + shape.y1) / 2)) for shape in drawn] == [(20, 60, 0), (40, 70, 3)]
    assert not probability_figure(0.9, GROUPS).layout.shapes


def test_a_member_of_a_zip_is_not_held_unpacked(crop):
    one, two = uploads._pictures("a.zip", packed(a=crop, b=bytes(200)))
    assert one.read() == crop and one.key != two.key
    assert one.read.args[0] is two.read.args[0], "both share the bytes of the ZIP"
    with pytest.raises(ImageError):
        uploads._pictures("a.zip", b"PK\x03\x04")


def test_what_is_kept_of_an_answer_is_small(view, found):
    analysis = analyses._work(Upload("key", "a.dcm", lambda: view), AnalysisOptions(), lambda *_: None)
    assert len(pickle.dumps(analysis)) < 20_000


def test_masks_of_a_view_are_cut_to_the_window(demo):
    table = read_collection(demo).table
    row = table[table["mask_file"].notna() & table["view_file"].notna()].iloc[0]
    mask = read_image(row["mask_file"]).pixels > 0.5
    rows, columns = np.nonzero(mask)
    box = (int(rows.min()), int(columns.min()), int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1)
    inside = analyses.mask_within.__wrapped__((row["mask_file"],), mask.shape, box)
    assert inside.shape == box[2:] and inside.sum() == mask.sum()
    assert analyses.mask_within.__wrapped__((), mask.shape, box) is None
    assert analyses.mask_within.__wrapped__((row["mask_file"],), (10, 10), box) is None
