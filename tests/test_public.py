"""The names that a Python user is given, and what they load."""

import subprocess
import sys

import numpy as np
import pytest
from support.report import picture

import lemons_core as kyl
from lemons_core.simulate.crop import simulate_crop


def test_every_name_is_there_and_an_unknown_one_is_not():
    assert set(kyl.__all__) <= set(dir(kyl))
    assert all(callable(getattr(kyl, name)) for name in kyl.__all__)
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = kyl.nothing_of_the_kind


def test_torch_is_loaded_when_a_model_is_asked_and_not_before():
    code = (
        "import sys, lemons_core as kyl; kyl.read_image; kyl.read_collection; before = 'torch' in sys.modules;"
        "kyl.analyse; print(before, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_pixels_are_analysed_in_two_lines():
    crop = simulate_crop(("COARSE",), rng=np.random.default_rng(3), size_px=256, spacing_mm=0.1)
    found = kyl.analyse(crop.pixels, spacing_mm=0.1)
    assert 0 <= found.score <= 1
    for one in found.detections:
        assert {*one.probabilities} == {"amorphous", "macro", "micro", "vascular"} and one.top in one.probabilities
        assert 0 <= one.row < one.row + one.height <= 256 and 0 <= one.col < one.col + one.width <= 256
    whole = kyl.predict_crop(crop.pixels, spacing_mm=0.1)
    assert 0 <= whole.calcification <= 1 and whole.top in whole.probabilities
    assert kyl.predict_crop(picture().pixels).calcification >= 0, "without a spacing it is taken as film"
