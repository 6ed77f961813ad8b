import numpy as np
import pytest
import torch
from scipy import ndimage

from lemons_core.base.errors import ImageError
from lemons_core.images import read_image
from lemons_core.simulate.view import Lesion, simulate_view
from lemons_core.vision.detect.candidates import CELL_PX, calcification_logit_map, find_candidates
from lemons_core.vision.detect.detector import analyse
from lemons_core.vision.network.preprocess import normalise
from lemons_core.vision.network.weights import read_model
from lemons_core.vision.record.findings import SHOWN_FROM


@pytest.fixture(scope="module")
def view():
    """A film with one coarse group of calcium, at 0.1 mm."""
    return simulate_view([Lesion(("COARSE", "PLEOMORPHIC"))], rng=np.random.default_rng(4), density=2)


@pytest.fixture(scope="module")
def result(view):
    return analyse(view.pixels, spacing_mm=0.1)


def overlaps(region, mask):
    return mask[region.row : region.row + region.height, region.col : region.col + region.width].any()


def test_the_lesion_of_a_view_is_found_and_comes_first(view, result):
    assert result.kind == "view" and result.spacing.source == "given"
    assert overlaps(result.detections[0], view.masks[0])
    assert result.score == result.detections[0].score > 0.8


def test_regions_lie_in_the_picture_by_falling_score(view, result):
    scores = [region.score for region in result.detections]
    assert scores == sorted(scores, reverse=True)
    for region in result.detections:
        assert 0 <= region.row < region.row + region.height <= view.pixels.shape[0]
        assert 0 <= region.col < region.col + region.width <= view.pixels.shape[1]
        assert region.n_specks == len(region.speck_coords) >= 1
        low, high = (region.row, region.col), (region.row + region.height, region.col + region.width)
        assert (region.speck_coords >= low).all() and (region.speck_coords <= high).all()
        assert region.extent_mm <= np.hypot(region.height, region.width) * 0.1
        assert region.top == max(region.probabilities, key=region.probabilities.__getitem__)


def test_the_same_place_is_found_at_half_the_spacing(view, result):
    fine = ndimage.zoom(view.pixels, 2, order=1)
    twice = analyse(np.clip(fine, 0, 1), spacing_mm=0.05)
    assert overlaps(twice.detections[0], np.kron(view.masks[0], np.ones((2, 2), bool)))
    assert abs(twice.score - result.score) < 0.1


def test_a_higher_limit_leaves_fewer_regions_and_the_same_score(view, result):
    strict = analyse(view.pixels, spacing_mm=0.1, min_score=0.9)
    assert strict.score == result.score
    assert [r.score for r in strict.detections] == [r.score for r in result.detections if r.score >= 0.9]


def test_strips_see_what_the_whole_picture_shows(view):
    """A seam between strips must not make or hide a speck."""
    model = read_model()
    part = normalise(view.pixels[200:1240, 100:612], model.card)
    strips = calcification_logit_map(part, np.ones(part.shape, bool), model)
    with torch.inference_mode():
        whole = model.network.spots(model.network.early(torch.from_numpy(part)[None, None]))[0, 0].numpy()
    assert strips.shape == whole.shape
    assert np.abs(strips - whole).max() < 0.5
    assert np.median(np.abs(strips - whole)) < 0.01


def test_cells_without_tissue_are_not_looked_at(view):
    model = read_model()
    part = normalise(view.pixels[:512, :512], model.card)
    tissue = np.zeros(part.shape, bool)
    tissue[:, 128:256] = True
    cells = calcification_logit_map(part, tissue, model)
    assert (
        np.isneginf(cells[:, : 128 // CELL_PX]).all() and np.isfinite(cells[:, 128 // CELL_PX : 256 // CELL_PX]).all()
    )


def test_specks_far_apart_are_two_places():
    picture = np.zeros((400, 400), np.float32)
    cells = np.full((50, 50), -5.0, np.float32)
    for row, column in ((84, 84), (84, 100), (300, 300)):
        picture[row - 1 : row + 2, column - 1 : column + 2] = 6
        cells[row // CELL_PX, column // CELL_PX] = 3.0
    places = find_candidates(picture, cells, 0.1)
    assert sorted(len(place.specks) for place in places) == [1, 2]


def test_nothing_is_found_in_an_empty_picture():
    result = analyse(np.zeros((900, 700), np.float32), spacing_mm=0.1)
    assert result.detections == () and result.score < 0.2


def test_pixels_out_of_range_are_refused():
    with pytest.raises(ImageError, match="0-1"):
        analyse(np.full((300, 300), 2.0, np.float32), spacing_mm=0.1)


def test_the_group_of_a_real_view_is_found(real_data):
    picture = read_image(real_data / "cbis-ddsm" / "view" / "Calc-Training_P_00060_RIGHT_CC.png")
    result = analyse(picture.pixels, spacing_mm=picture.spacing_mm)
    assert result.kind == "view" and result.spacing.source == "estimated" and 0.04 <= result.spacing.mm <= 0.06
    # The curl of calcium and the fine specks below it that a reader sees in this film.
    found = [r for r in result.detections if r.row <= 1640 <= r.row + r.height and r.col <= 2290 <= r.col + r.width]
    assert found and found[0].score >= SHOWN_FROM["view"]
    assert result.detections.index(found[0]) == 0


def test_the_real_crop_holds_specks(real_data):
    picture = read_image(next((real_data / "cbis-ddsm" / "crop").glob("*.dcm")))
    result = analyse(picture.pixels, spacing_mm=picture.spacing_mm)
    assert result.kind == "crop" and result.score > 0.9
    assert result.detections[0].n_specks >= 10
