"""Simulated whole views, read by a model: what it marks, and how far its scores of detections are to be believed."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

from lemons_core.base.parallel import run_many
from lemons_core.base.progress import Progress, no_progress
from lemons_core.base.terms import DISTRIBUTION, MORPHOLOGY
from lemons_core.labels.mapping import read_mapping
from lemons_core.metrics.froc import Mark, MarkedView, lesion_of
from lemons_core.simulate.view import Lesion, SimulatedView, simulate_view
from lemons_core.vision.detect.detector import analyse
from lemons_core.vision.network.weights import read_model
from lemons_core.vision.record.card import read_card, write_card

SEED = 60_000_011  # far from the seeds of training and of the demo data
CALIBRATION = 1_000  # views of this seed calibrate; those of others measure
SPACINGS_MM = (0.05, 0.1, 0.1, 0.05, 0.1, 0.2)
FEWEST = 10  # detections that hit, and that do not; with fewer nothing is fitted


class ReadView(NamedTuple):
    """A view as the model marked it, and the kinds of each lesion in it."""

    marked: MarkedView
    tokens: tuple[tuple[str, ...], ...]


def draw_view(number: int, *, seed: int, lesions: bool) -> tuple[SimulatedView, float]:
    """One view and its pixel spacing. Half are film and half digital, CC and MLO; with one or two lesions, or none."""
    rng = np.random.default_rng([SEED, seed, number, lesions])
    spacing = SPACINGS_MM[number % len(SPACINGS_MM)]
    wanted = [
        Lesion(
            (MORPHOLOGY[(number + 7 * k) % len(MORPHOLOGY)],),
            distribution=DISTRIBUTION[(number // 2 + k) % len(DISTRIBUTION)],
            depth=rng.uniform(0.25, 0.8),
            side=(-1) ** k * rng.uniform(0.2, 0.8),
        )
        for k in range(1 + number % 2)
    ]
    drawn = simulate_view(
        wanted if lesions else (),
        rng=rng,
        laterality="LR"[number % 2],
        view=("CC", "MLO")[number // 2 % 2],
        spacing_mm=spacing,
        look="film" if spacing == 0.2 or number % 2 else "digital",
    )
    return drawn, spacing


def read_view(task: tuple[int, bool], *, seed: int, model: Path, scale: tuple[float, float] | None = None) -> ReadView:
    """Draw a view (its number, whether with lesions) and mark every detection in it; in a process of its own.

    scale : of detections, instead of the card's
    """
    torch.set_num_threads(1)
    known = read_model(model)
    if scale:
        known = replace(known, card=replace(known.card, detection_platt=scale))
    drawn, spacing = draw_view(task[0], seed=seed, lesions=task[1])
    # A lesion that no eye could see is none.
    visible = [(mask, tokens) for mask, tokens in zip(drawn.masks, drawn.tokens, strict=True) if tokens]
    masks = [mask for mask, _ in visible]
    groups = [read_mapping().label(tokens).groups for _, tokens in visible]
    result = analyse(drawn.pixels, spacing_mm=spacing, min_score=0.0, kind="view", model=known)
    marks = []
    for detection in result.detections:
        hit = lesion_of(detection, masks, spacing_mm=spacing)
        marks.append(Mark(detection.score, hit, hit is not None and detection.top in groups[hit]))
    return ReadView(MarkedView(result.score, len(visible), tuple(marks)), tuple(tokens for _, tokens in visible))


def fit_detection_platt(scores: Sequence[float], hits: Sequence[bool]) -> tuple[float, float]:
    """Slope and offset of the logit that make the scores of detections probabilities; (1, 0) where too little is known.

    Source: Platt scaling, Platt 1999.
    """
    real = np.asarray(hits, bool)
    if min(real.sum(), (~real).sum()) < FEWEST:
        return 1.0, 0.0
    fitted = LogisticRegression(C=100).fit(logit(np.clip(scores, 1e-6, 1 - 1e-6))[:, None], real)
    slope, offset = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    return (round(slope, 4), round(offset, 4)) if slope > 0 else (1.0, 0.0)


def calibrate_detections(directory: str | Path, *, views: int, jobs: int = 1, progress: Progress = no_progress) -> None:
    """Fit the scores of detections for the model in `directory` and write the result into its card.

    views : how many simulated ones are read; every third holds no lesion
    Raises ModelError: no usable model there
    """
    directory = Path(directory)
    tasks = {str(number): (number, number % 3 != 2) for number in range(views)}
    work = partial(read_view, seed=CALIBRATION, model=directory, scale=(1.0, 0.0))
    marks: list[Mark] = []
    for done, outcome in enumerate(run_many(work, tasks, jobs=jobs, prefer="processes"), start=1):
        marks += outcome.get().marked.marks
        progress(done / views, f"calibrating on whole views, {done} of {views}")
    hits = [mark.lesion is not None for mark in marks]
    card = read_card(directory)
    facts = {"views": views, "places": len(hits), "on calcium": sum(hits), "data": "simulated"}
    scale = fit_detection_platt([mark.score for mark in marks], hits)
    write_card(directory, replace(card, detection_platt=scale, training=card.training | {"detection_platt": facts}))
