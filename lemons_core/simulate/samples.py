"""Simulated pictures of every kind of calcification to try the model on, each drawn when somebody asks for it.

No patient is in them. They need no demo set: a crop takes a fraction of a second, a whole view a few.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lemons_core.base.errors import DataError
from lemons_core.base.io import file_error, write_atomic
from lemons_core.dataset.overview import Sample, SampleOrigin
from lemons_core.labels.mapping import read_mapping

if TYPE_CHECKING:  # the list is asked for where nothing is drawn
    from lemons_core.simulate.crop import SimulatedCrop
    from lemons_core.simulate.view import SimulatedView

CROP_PX = 224
LEAST_VISIBLE_PX = 60  # of calcium: a sample shows what its name says
# Kind, distribution, first seed; two seeds a kind look different.
_CROPS = (
    ("PLEOMORPHIC", "CLUSTERED", 7), ("PLEOMORPHIC", "SEGMENTAL", 20), ("FINE_LINEAR_BRANCHING", "LINEAR", 1),
    ("FINE_LINEAR_BRANCHING", "SEGMENTAL", 30), ("PUNCTATE", "CLUSTERED", 2), ("AMORPHOUS", "CLUSTERED", 4),
    ("AMORPHOUS", "CLUSTERED", 11), ("AMORPHOUS", "REGIONAL", 40), ("COARSE", "CLUSTERED", 6),
    ("ROUND_AND_REGULAR", "CLUSTERED", 3), ("LUCENT_CENTERED", "DIFFUSELY_SCATTERED", 5), ("EGGSHELL", "CLUSTERED", 8),
    ("LARGE_RODLIKE", "SEGMENTAL", 9), ("DYSTROPHIC", "CLUSTERED", 12), ("SKIN", "DIFFUSELY_SCATTERED", 13),
    ("MILK_OF_CALCIUM", "CLUSTERED", 14), ("VASCULAR", "LINEAR", 4), ("VASCULAR", "LINEAR", 3),
    ("VASCULAR", "LINEAR", 7),
)  # fmt: skip
_VIEWS = (("PLEOMORPHIC", "CC", 1), ("VASCULAR", "MLO", 2), ("COARSE", "CC", 3))


@dataclass(frozen=True)
class _Recipe:
    sample: Sample
    token: str
    distribution: str  # of a crop; empty for a whole view
    view: str  # of a whole view; empty for a crop
    seed: int


def simulated_samples() -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """The crops and the whole views that can be drawn; `file` is empty until draw_sample has made one."""
    recipes = list(_recipes())
    return (
        tuple(recipe.sample for recipe in recipes if not recipe.view),
        tuple(recipe.sample for recipe in recipes if recipe.view),
    )


def draw_sample(case_id: str, folder: Path) -> Path:
    """The DICOM file of one sample below `folder`, drawn when it is not there; the same bytes each time.

    Raises DataError: there is no such sample, or the folder cannot be written
    """
    from lemons_core.simulate.demo.dicom import dicom_bytes, make_uid

    recipe = next((recipe for recipe in _recipes() if recipe.sample.case_id == case_id), None)
    if recipe is None:
        raise DataError(f"There is no simulated sample {case_id}")
    path = folder / f"{case_id}.dcm"
    if not path.is_file():
        drawn = _draw_view(recipe) if recipe.view else _draw_crop(recipe)
        data = dicom_bytes(
            (np.rint(drawn.pixels * 1023) * 64).astype(np.uint16),
            PatientID=case_id,
            SeriesDescription="full mammogram images" if recipe.view else "cropped images",
            StudyInstanceUID=make_uid(case_id, "study"),
            SeriesInstanceUID=make_uid(case_id, "series"),
            SOPInstanceUID=make_uid(case_id),
            InstanceNumber="1",
            Laterality="L",
            PatientOrientation=recipe.view or "CC",
        )
        try:
            write_atomic(path, data)
        except OSError as error:
            told = file_error(error, "The simulated sample cannot be written", where=folder)
            todo = "Set LEMONS_CACHE to a folder that may be written."
            raise DataError(told.what, where=told.where, todo=todo) from error
    return path


def _recipes() -> Iterator[_Recipe]:
    mapping = read_mapping()
    numbers: dict[str, int] = {}
    crops = [(token, distribution, "", seed) for token, distribution, seed in _CROPS]
    for token, distribution, view, seed in [*crops, *((token, "", view, seed) for token, view, seed in _VIEWS)]:
        kind = f"{'view' if view else 'crop'}_{token.lower()}"
        numbers[kind] = numbers.get(kind, 0) + 1
        group = str(mapping.label((token,)).single)
        name = f"simulated_{kind}_{numbers[kind]}"
        yield _Recipe(
            Sample(name, "", group, token, "", origin=SampleOrigin.SIMULATED), token, distribution, view, seed
        )


def _draw_crop(recipe: _Recipe) -> "SimulatedCrop":
    """The first from its seed on that shows its kind."""
    from lemons_core.simulate.crop import simulate_crop

    for seed in count(recipe.seed):
        drawn = simulate_crop(
            (recipe.token,), rng=np.random.default_rng(seed), size_px=CROP_PX, distribution=recipe.distribution
        )
        if drawn.tokens and drawn.mask.sum() >= LEAST_VISIBLE_PX:
            return drawn
    raise AssertionError("count() has no end")


def _draw_view(recipe: _Recipe) -> "SimulatedView":
    from lemons_core.simulate.view import Lesion, simulate_view

    distribution = "LINEAR" if recipe.token == "VASCULAR" else "CLUSTERED"
    lesion = Lesion((recipe.token,), distribution)
    return simulate_view([lesion], rng=np.random.default_rng(recipe.seed), view=recipe.view, density=2)
