"""Training: a plain loop that a reader can follow from the data to the model card."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Subset

from lemons_core.base.config import SHIPPED_MODEL
from lemons_core.base.errors import LemonsError
from lemons_core.base.io import writing
from lemons_core.base.progress import Progress, no_progress
from lemons_core.vision.detect.ood import TILES as FEATURE_TILES
from lemons_core.vision.detect.ood import add_feature_distribution
from lemons_core.vision.evaluate.calibrate import ERROR, calibrate
from lemons_core.vision.evaluate.measure import figures_of, predict_tiles
from lemons_core.vision.evaluate.view_calibration import calibrate_detections
from lemons_core.vision.network.model import CalcificationNet, build_network
from lemons_core.vision.network.weights import read_model, write_model
from lemons_core.vision.record.card import ModelCard, read_card, write_card
from lemons_core.vision.record.recipe import Recipe
from lemons_core.vision.tiles.data import TileExample
from lemons_core.vision.train.batches import Batches, count_workers, keep_in_memory, open_loader
from lemons_core.vision.train.checkpoint import RunFolder, StopRequest, TrainState
from lemons_core.vision.train.ddp import ProcessGroup, join_process_group
from lemons_core.vision.train.learner import Learner
from lemons_core.vision.train.open_tiles import Tiles, open_tiles

# A run that learnt from few tiles is calibrated on few views, and ends soon.
TILES_A_VIEW = 20


def train(
    data: str | Path, out: Path, recipe: Recipe, *, restart: bool = False, progress: Progress = no_progress
) -> ModelCard | None:
    """Train on a collection root, or on simulated tiles with data="simulated"; write the best epoch to `out`.

    The best epoch is the one with the highest macro AUC on validation data: patients held out from the training split,
    or simulated tiles of another seed. Called again after a stop or a kill, it goes on where the last checkpoint was
    written: after every epoch, and at a stop. Under torchrun the same call is one of several that work as one.

    restart : forget the run that `out` holds; otherwise another recipe there is refused
    progress : called with a share 0-1 and a few words
    Returns the card of the model, or None when the run was stopped before its end
    Raises DataError: the collection has no usable training images, `out` holds another run, or a file cannot be written
    """
    with writing("The training cannot go on", out), join_process_group() as group:
        run = RunFolder(Path(out), writes=group.is_main)
        run.open(str(data), recipe, restart=restart)
        if group.share(run.finished):
            return read_card(run.folder)
        try:
            training = _prepare(data, run, recipe, group, progress)
            with StopRequest(run.folder).listen() as stop:
                while training.state.epoch < recipe.epochs and not stops_early(training.state, recipe):
                    if not _train_epoch(training, stop):
                        return None
                    _end_epoch(training)
            if group.is_main:
                _finish(training)
            group.wait()
            return read_card(run.folder) if group.is_main else None
        except (LemonsError, OSError, RuntimeError) as error:
            with suppress(OSError):  # the disk may be full
                run.note(state="failed", error=str(error)[:500])
            raise


@dataclass
class _Training:
    """What the stages of a run share.

    loader : this process's parts of the steps that `batches` lists
    state : how far it is
    """

    run: RunFolder
    recipe: Recipe
    group: ProcessGroup
    progress: Progress
    tiles: Tiles
    learner: Learner
    batches: Batches
    loader: DataLoader[TileExample]
    state: TrainState


def _prepare(data: str | Path, run: RunFolder, recipe: Recipe, group: ProcessGroup, progress: Progress) -> _Training:
    """Tiles and network of a run, as its checkpoint left them where there is one."""
    torch.manual_seed(recipe.seed)
    torch.backends.cudnn.deterministic = True
    tiles = open_tiles(data, run.folder, recipe, group=group, progress=progress)
    batches = Batches(tiles.epoch_tiles, recipe, group)
    network, start = _first_network(recipe, tiles.card)
    learner = Learner(network, recipe, group, steps=recipe.epochs * batches.steps, positive=tiles.positive)
    state = TrainState()
    checkpoint = group.share(run.load())
    if checkpoint:
        state = TrainState(**checkpoint["state"])
        torch.set_rng_state(checkpoint["rng"])
        learner.load(checkpoint)
        start = run.record.get("started_from", start)
    run.note(started_from=start)
    loader = open_loader(tiles.training, batches, count_workers(recipe, group))
    tiles = replace(
        tiles,
        card=replace(tiles.card, training=tiles.card.training | {"started_from": start, "recipe": recipe.facts}),
        validation=keep_in_memory(tiles.validation, workers=loader.num_workers) if group.is_main else tiles.validation,
    )
    return _Training(run, recipe, group, progress, tiles, learner, batches, loader, state)


def _train_epoch(training: _Training, stop: StopRequest) -> bool:
    """The steps of an epoch that are not done yet; False when it was stopped on the way, with a checkpoint."""
    run, state, learner, batches = training.run, training.state, training.learner, training.batches
    batches.epoch, batches.skip = state.epoch, state.step
    began = monotonic() - state.seconds
    learner.network.train()
    total = torch.tensor(state.loss, device=training.group.device)
    for parts in zip(*[iter(training.loader)] * training.recipe.accumulate, strict=True):
        total += learner.step(parts, state.epoch * batches.steps + state.step)
        state.step += 1
        if training.group.is_main and (state.step == 1 or run.due()):
            _note_step(training, loss=float(total) / state.step, seconds=monotonic() - began)
        if _agreed(training.group, stop, state.step):
            state.loss, state.seconds = float(total), monotonic() - began
            run.save(state, learner.states())
            run.note(state="stopped")
            return False
    state.loss, state.seconds = float(total), monotonic() - began
    return True


def _end_epoch(training: _Training) -> None:
    """Measure the epoch, keep the model when it is the best so far, write history and checkpoint."""
    run, recipe, group, before = training.run, training.recipe, training.group, training.state
    average, tiles, steps = training.learner.average, training.tiles, training.batches.steps
    figures: dict[str, Any] = {}
    if group.is_main:
        figures = figures_of(predict_tiles(average, tiles.validation, workers=training.loader.num_workers), tiles.card)
    score = group.share(_macro(figures) if group.is_main else 0.0)
    state = TrainState(before.epoch + 1, best=before.best, best_epoch=before.best_epoch)
    if score > state.best:
        state.best, state.best_epoch = score, state.epoch
        if group.is_main:
            _write_best(run.folder, average, tiles.card, figures, state.epoch)
    loss = before.loss / steps
    run.add_epoch(
        {
            "epoch": state.epoch,
            "loss": round(loss, 4),
            "learning_rate": training.learner.optimiser.param_groups[0]["lr"],
            "seconds": round(before.seconds, 1),
            "images_per_second": round(steps * recipe.batch / before.seconds, 1),
            "validation": figures,
        }
    )
    run.save(state, training.learner.states())
    run.note(epoch=state.epoch, step=0, best_epoch=state.best_epoch)
    training.state = state
    words = f"epoch {state.epoch}/{recipe.epochs}, loss {loss:.3f}, validation macro AUC {score:.3f}"
    training.progress(state.epoch / recipe.epochs, words)


def _first_network(recipe: Recipe, card: ModelCard) -> tuple[CalcificationNet, dict[str, Any]]:
    """The network to start from, and what the card should state of it: with init="shipped" also which model it was."""
    if recipe.init != "shipped":
        return build_network(card.labels, init=recipe.init), {"init": recipe.init}
    shipped = read_model(SHIPPED_MODEL)
    network = CalcificationNet(card.labels)
    state = network.state_dict()
    for name, value in shipped.network.state_dict().items():
        if value.ndim:
            state[name][: len(value)] = value  # an output that the shipped model lacks stays fresh
    network.load_state_dict(state)
    return network, {"init": "shipped", "sha256": shipped.card.sha256, "training": shipped.card.training}


def _agreed(group: ProcessGroup, stop: StopRequest, step: int) -> bool:
    """Whether to stop after this step. Several processes agree now and then only: it makes them wait."""
    if group.size == 1:
        return bool(stop)
    return step % 10 == 0 and group.share(bool(stop))


def _macro(figures: dict[str, Any]) -> float:
    """Mean AUC of the labels that have one."""
    values = [row["auc"][0] for row in figures["labels"].values() if row["auc"]]
    return sum(values) / len(values) if values else 0.0


def stops_early(state: TrainState, recipe: Recipe) -> bool:
    """Whether the patience is over; with a patience of 0 it never is."""
    return 0 < recipe.patience <= state.epoch - state.best_epoch


def _note_step(training: _Training, *, loss: float, seconds: float) -> None:
    state, recipe, steps = training.state, training.recipe, training.batches.steps
    speed = state.step * recipe.batch / seconds
    training.run.note(
        epoch=state.epoch, step=state.step, steps=steps, loss=round(loss, 4), images_per_second=round(speed, 1)
    )
    words = f"epoch {state.epoch + 1}/{recipe.epochs}, loss {loss:.3f}, {speed:.0f} images/s"
    training.progress((state.epoch + state.step / steps) / recipe.epochs, words)


def _write_best(folder: Path, network: CalcificationNet, card: ModelCard, figures: dict[str, Any], epoch: int) -> None:
    today = datetime.now(UTC).date().isoformat()
    facts = card.training | {"best_epoch": epoch}
    write_model(folder, network, replace(card, created=today, training=facts, metrics={"validation": figures}))


def _finish(training: _Training) -> None:
    """What is known only at the end: calibration, abstain band, held-out figures, and what typical tiles look like."""
    run, recipe, tiles, workers = training.run, training.recipe, training.tiles, training.loader.num_workers
    network = read_model(run.folder).network
    validation = predict_tiles(network, tiles.validation, workers=workers)
    card = read_card(run.folder)
    temperature, abstain = calibrate(validation.logits, validation.targets, card.labels)
    card = replace(card, temperature=temperature, abstain=abstain)
    measured = {"validation": figures_of(validation, card)}
    if tiles.held_out is not None:
        measured["held_out"] = figures_of(predict_tiles(network, tiles.held_out, workers=workers), card)
    write_card(run.folder, replace(card, training=card.training | {"abstain_error": ERROR}, metrics=measured))
    some = np.random.default_rng(recipe.seed).permutation(tiles.epoch_tiles)[:FEATURE_TILES]
    add_feature_distribution(run.folder, Subset(tiles.training, some.tolist()))
    views = min(recipe.views, recipe.epochs * tiles.epoch_tiles // TILES_A_VIEW)
    if views:
        calibrate_detections(
            run.folder, views=views, jobs=max(1, workers), progress=lambda _, text: training.progress(1.0, text)
        )
    run.finish()
