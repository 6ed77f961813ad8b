"""Simulated pictures to try are drawn when asked for, show what they are called, and are the same each time."""

import numpy as np
import pytest

from lemons_core.base.errors import DataError
from lemons_core.base.terms import GROUPS, MORPHOLOGY
from lemons_core.images import read_image
from lemons_core.simulate import samples
from lemons_core.simulate.samples import draw_sample, simulated_samples


def test_every_kind_and_group_has_one():
    crops, views = simulated_samples()
    assert {sample.morphology for sample in crops} == set(MORPHOLOGY)
    assert {sample.group for sample in crops} == {str(group) for group in GROUPS}
    assert len(views) == 3 and not any(sample.file for sample in (*crops, *views))


def test_a_sample_is_drawn_once_and_always_the_same(tmp_path):
    path = draw_sample("simulated_crop_pleomorphic_1", tmp_path / "a")
    written = path.stat().st_mtime_ns
    assert draw_sample("simulated_crop_pleomorphic_1", tmp_path / "a").stat().st_mtime_ns == written
    again = draw_sample("simulated_crop_pleomorphic_1", tmp_path / "b")
    assert again.read_bytes() == path.read_bytes()
    picture = read_image(path)
    assert picture.pixels.shape == (samples.CROP_PX, samples.CROP_PX) and picture.spacing_mm == 0.1
    assert np.ptp(picture.pixels) > 0.2


def test_an_unknown_or_unwritable_sample_is_told(tmp_path):
    with pytest.raises(DataError, match="no simulated sample nothing"):
        draw_sample("nothing", tmp_path)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot be written"):
        draw_sample("simulated_crop_coarse_1", tmp_path / "file")
