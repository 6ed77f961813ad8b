"""The case viewer: outlines as the mask says, windows, deep links, missing images, damaged files."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest
from support.pages import open_page, words

from lemons_core.dataset.collection import read_collection
from lemons_core.images import outlines, read_image
from lemons_core.ui.shell import viewer
from lemons_core.ui.shell.outlines import outline_all

PAGE = "pages/case.py"


@pytest.fixture(scope="module")
def table(demo):
    return read_collection(demo).table


@pytest.fixture(scope="module")
def pair(table):
    """Two rows of one lesion, in both views, with all their files."""
    whole = table[table[["view_file", "crop_file", "mask_file"]].notna().all(axis=1)]
    lesion = whole[whole.duplicated("lesion_id", keep=False)]["lesion_id"].iloc[0]
    return whole[whole["lesion_id"] == lesion]


def shown(at: AppTest) -> dict[str, dict]:
    """Head of each picture on the page by the first word of its tag, with the bytes of the picture."""
    found = {}
    for element in at.get("bidi_component"):
        data = element.proto.bytes
        size = int.from_bytes(data[:4])
        head = json.loads(data[4 : 4 + size])
        found[head["tag"].replace(",", "").split()[0]] = head | {"bytes": data[4 + size :]}
    return found


def case_in(at: AppTest) -> list[str]:
    """The case of the address; AppTest gives what a page has set as text, what a test has set as a list."""
    case = at.query_params["case"]
    return [case] if isinstance(case, str) else list(case)


def rasterised(outline: outlines.Outline) -> np.ndarray:
    """The inside of an outline, by the rule of crossings, from the path alone."""
    width, height = outline.size
    sides = np.zeros((height, width + 1), dtype=int)
    for part in outline.path.split("M")[1:]:
        if "v" in part:
            (x, y), length = map(int, part.split("v")[0].split()), int(part.split("v")[1])
            sides[y : y + length, x] = 1
    return np.cumsum(sides, axis=1)[:, :-1] % 2 == 1


def test_an_outline_holds_the_mask_pixel_for_pixel():
    inside = np.zeros((40, 60), dtype=bool)
    inside[5:20, 8:30] = inside[30:33, 50:60] = True
    inside[10:12, 12:20] = False  # a hole
    inside[0, 0] = inside[39, 59] = True
    outline = outlines.outline_of(inside)
    assert np.array_equal(rasterised(outline), inside)
    assert outline.size == (60, 40) and outline.box == (0, 0, 60, 40)
    flat = sum(int(part.split("h")[1]) for part in outline.path.split("M") if "h" in part)
    assert flat == np.abs(np.diff(np.pad(inside, 1).astype(int), axis=0)).sum(), "upper and lower sides are drawn too"


def test_an_empty_mask_has_no_outline():
    assert outlines.outline_of(np.zeros((20, 20), dtype=bool)) == outlines.Outline("", None, (20, 20))


def test_a_window_is_widened_about_its_middle_and_moved():
    assert viewer.shift_window((0.2, 0.6), 100, 0) == pytest.approx((0.2, 0.6))
    assert viewer.shift_window((0.2, 0.6), 50, 0) == pytest.approx((0.3, 0.5))
    assert viewer.shift_window((0.2, 0.6), 100, 25) == pytest.approx((0.3, 0.7))


def test_a_narrow_window_shows_steps_that_8_bit_would_lose():
    values = np.arange(30_000, 30_256, dtype=np.uint16).reshape(16, 16)  # one grey level of 8 bit
    data = viewer.encode(viewer.windowed(values, (30_000 / viewer.WHITE, 30_255 / viewer.WHITE)), lossless=True)
    pixels = np.asarray(Image.open(io.BytesIO(data)))
    assert len(np.unique(pixels)) == 256


def test_a_deep_link_shows_both_views_the_outlines_and_the_crop(demo, pair):
    row = pair.iloc[0]
    at = open_page(PAGE, case=row["case_id"])
    pictures = shown(at)
    assert set(pictures) == {"CC", "MLO", "crop"}
    for view in ("CC", "MLO"):
        chosen = [shape for shape in pictures[view]["shapes"] if shape["chosen"]]
        assert len(chosen) == 1 and pictures[view]["shapes"][-1]["chosen"], "the chosen one is drawn last"
        assert "simulated" in pictures[view]["tag"] and "this one" in pictures[view]["alt"]
    crop = read_image(Path(row["crop_file"])).pixels
    assert (pictures["crop"]["height"], pictures["crop"]["width"]) == crop.shape, "native resolution"
    assert pictures["crop"]["mime"] == "image/png" and pictures["crop"]["bytes"].startswith(b"\x89PNG")
    text = words(at)
    assert str(row["patient_id"]) in text and "BI-RADS" in text and str(row["calc_group"]) in text
    assert case_in(at) == [row["case_id"]]


def test_stepping_goes_round_the_cases_with_images(demo, table):
    ids = table[table["view_file"].notna() | table["crop_file"].notna()]["case_id"].tolist()
    at = open_page(PAGE, case=ids[0])
    seen = []
    for label in ("Next", "Next", "Previous"):
        next(button for button in at.button if button.label == label).click().run()
        assert not at.exception
        seen += case_in(at)
    assert seen == [ids[1], ids[2], ids[1]]


def test_the_filters_of_the_address_bound_the_steps(demo, table):
    vascular = table[[own == ("vascular",) or "vascular" in own for own in table["calc_groups"]]]["case_id"].tolist()
    at = open_page(PAGE, in_group="vascular", case=vascular[3])
    assert f"4 of {len(vascular):,}" in words(at) and "Only group vascular" in words(at)
    next(button for button in at.button if button.label == "Next").click().run()
    assert case_in(at) == [vascular[4]]
    next(button for button in at.button if button.label == "All cases").click().run()
    assert "Only group" not in words(at) and "in_group" not in at.query_params


def test_a_case_without_images_keeps_its_notes_and_says_what_is_missing(demo, table):
    row = table[table["view_file"].isna() & table["morphology"].notna()].iloc[0]
    at = open_page(PAGE, case=row["case_id"])
    text = words(at)
    assert "crop is not on disk" in text
    assert str(row["morphology"]) in text and not at.slider


def test_an_unknown_case_is_told_and_another_is_shown(demo):
    at = open_page(PAGE, case="../../etc/passwd")
    assert "has no case" in at.warning[0].value and shown(at)


def test_a_mask_of_another_size_is_stretched_and_told(tmp_path, pair):
    film = viewer.Film(np.zeros((200, 100), dtype=np.uint16), (0.0, 1.0), None)
    mask = np.zeros((100, 100), dtype=np.uint8)
    mask[20:30, 40:60] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    rows = pair.iloc[:1].assign(mask_file=str(tmp_path / "mask.png"))
    drawn = outline_all(rows, rows["lesion_id"].iloc[0], film)
    assert drawn.shapes[0].scale == (1, 2) and drawn.shapes[0].box == (40, 20, 60, 30)
    assert "another size" in drawn.notes[0]
    empty = outline_all(rows.assign(mask_file=None), "", film)
    assert not empty.shapes and "no mask on disk" in empty.notes[0]


def test_a_damaged_view_is_told_and_the_rest_stands(demo, pair, tmp_path, monkeypatch):
    root = tmp_path / "copy"
    shutil.copytree(demo, root)
    damaged = root / Path(pair.iloc[0]["view_file"]).relative_to(demo)
    damaged.write_bytes(damaged.read_bytes()[:20_000])
    monkeypatch.setenv("LEMONS_DATA", str(root))
    at = open_page(PAGE, case=pair.iloc[0]["case_id"])
    assert "crop" in shown(at) and pair.iloc[0]["view"] not in shown(at)
    assert at.error or "is not on disk" in words(at)


def test_the_real_collection_shows_what_is_there_and_what_is_not(real_data, monkeypatch):
    monkeypatch.setenv("LEMONS_DATA", str(real_data))
    at = open_page(PAGE, case="P_00474_L_MLO_calc_1")
    assert (shown(at)["crop"]["width"], shown(at)["crop"]["height"]) == (1065, 1129)
    assert "The CC view is not on disk" in words(at), "the other pictures can be got"
    assert "simulated" not in shown(at)["crop"]["tag"]
