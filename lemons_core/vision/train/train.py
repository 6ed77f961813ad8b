"""Training: a plain loop that a reader can follow from the data to the model card."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from torch.utils.data import Subset

from lemons_core.base.config import SHIPPED_MODEL
from lemons_core.base.errors import LemonsError
from lemons_core.base.progress import Progress
from lemons_core.vision.detect.ood import TILES as FEATURE_TILES
from lemons_core.vision.detect.ood import add_feature_distribution
from lemons_core.vision.evaluate.calibrate import ERROR, calibrate
from lemons_core.vision.evaluate.measure import Predictions, figures_of, measure, predict_tiles
from lemons_core.vision.evaluate.view_calibration import calibrate_detections
from lemons_core.vision.network.model import CalcificationNet, build_network
from lemons_core.vision.network.weights import read_model, write_model
from lemons_core.vision.record.card import ModelCard, read_card, write_card
from lemons_core.vision.record.recipe import Recipe
from lemons_core.vision.train.batches import Batches, count_workers, keep_in_memory, open_loader
from lemons_core.vision.train.checkpoint import RunFolder, StopRequest, TrainState
from lemons_core.vision.train.ddp import ProcessGroup, join_process_group
from lemons_core.vision.train.learner import Learner
from lemons_core.vision.train.open_tiles import Tiles, open_tiles

# A run that learnt from few tiles is calibrated on few views, and ends soon.
TILES_A_VIEW = 20


def train(
    data: str | Path, out: Path, recipe: Recipe, *, restart: bool = False, progress: Progress | None = None
) -> ModelCard | None:
    """Train on a collection root, or on simulated tiles with data="simulated"; write the best epoch to `out`.

    The best epoch is the one with the highest macro AUC on validation data: patients held out from the training split,
    or simulated tiles of another seed. Called again after a stop or a kill, it goes on where the last checkpoint was
    written: after every epoch, and at a stop. Under torchrun the same call is one of several that work as one.

    Parameters
    ----------
    restart : forget the run that `out` holds; otherwise another recipe there is refused
    progress : called with a share 0-1 and a few words

    Returns
    -------
    The card of the model, or None when the run was stopped before its end

    Raises
    ------
    DataError : the collection has no usable training images, or `out` holds another run
    """
    progress = progress or (lambda fraction, text: None)
    with join_process_group() as team:
        run = RunFolder(Path(out), writes=team.first)
        run.open(str(data), recipe, restart=restart)
        if team.share(run.finished):
            return read_card(run.folder)
        try:
            return _train(data, run, recipe, team, progress)
        except (LemonsError, OSError, RuntimeError) as error:
            run.note(state="failed", error=str(error)[:500])
            raise


def _train(
    data: str | Path, run: RunFolder, recipe: Recipe, team: ProcessGroup, progress: Progress
) -> ModelCard | None:
    torch.manual_seed(recipe.seed)
    torch.backends.cudnn.deterministic = True
    tiles = open_tiles(data, run.folder, recipe, team=team, progress=progress)
    batches = Batches(tiles.epoch_tiles, recipe, team)
    network, start = _first_network(recipe, tiles.card)
    learner = Learner(network, recipe, team, steps=recipe.epochs * batches.steps, positive=tiles.positive)
    state = TrainState()
    checkpoint = team.share(run.load())
    if checkpoint:
        state = TrainState(**checkpoint["place"])
        torch.set_rng_state(checkpoint["rng"])
        learner.load(checkpoint)
        start = run.record.get("started_from", start)
    run.note(started_from=start)
    card = replace(tiles.card, training=tiles.card.training | {"started_from": start, "recipe": recipe.facts})
    workers = count_workers(recipe, team)
    loader = open_loader(tiles.training, batches, workers)
    validation = keep_in_memory(tiles.validation, workers=workers) if team.first else tiles.validation
    with StopRequest(run.folder).listen() as stop:
        while state.epoch < recipe.epochs and not _worn_out(state, recipe):
            batches.epoch, batches.skip = state.epoch, state.step
            began = monotonic() - state.seconds
            learner.network.train()
            total = torch.tensor(state.loss, device=team.device)
            for parts in zip(*[iter(loader)] * recipe.accumulate, strict=True):
                total += learner.step(parts, state.epoch * batches.steps + state.step)
                state.step += 1
                if team.first and (state.step == 1 or run.due()):
                    _note_step(run, state, recipe, batches.steps, float(total), monotonic() - began, progress)
                if _agreed(team, stop, state.step):
                    state.loss, state.seconds = float(total), monotonic() - began
                    run.save(state, learner.states())
                    run.note(state="stopped")
                    return None
            seconds = monotonic() - began
            figures = measure(learner.average, validation, labels=card.labels, workers=workers) if team.first else {}
            score = team.share(_macro(figures) if team.first else 0.0)
            state = TrainState(state.epoch + 1, best=state.best, best_epoch=state.best_epoch)
            if score > state.best:
                state.best, state.best_epoch = score, state.epoch
                if team.first:
                    _write_best(run.folder, learner.average, card, figures, state.epoch)
            loss = float(total) / batches.steps
            run.add_line(
                {
                    "epoch": state.epoch,
                    "loss": round(loss, 4),
                    "learning_rate": learner.optimiser.param_groups[0]["lr"],
                    "seconds": round(seconds, 1),
                    "images_per_second": round(batches.steps * recipe.batch / seconds, 1),
                    "validation": figures,
                }
            )
            run.save(state, learner.states())
            run.note(epoch=state.epoch, step=0, best_epoch=state.best_epoch)
            words = f"epoch {state.epoch}/{recipe.epochs}, loss {loss:.3f}, validation macro AUC {score:.3f}"
            progress(state.epoch / recipe.epochs, words)
    if team.first:
        answers = predict_tiles(read_model(run.folder).network, validation, workers=workers)
        _finish(run, tiles, answers, recipe, workers, progress)
    team.wait()
    return read_card(run.folder) if team.first else None


def _first_network(recipe: Recipe, card: ModelCard) -> tuple[CalcificationNet, dict[str, Any]]:
    """The network to start from, and what the card should say of it: beside the way, which model it was."""
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


def _agreed(team: ProcessGroup, stop: StopRequest, step: int) -> bool:
    """Whether to stop after this step. Several processes ask each other now and then only: it makes them wait."""
    if team.size == 1:
        return bool(stop)
    return step % 10 == 0 and team.share(bool(stop))


def _macro(figures: dict[str, Any]) -> float:
    """Mean AUC of the labels that have one."""
    values = [row["auc"][0] for row in figures["labels"].values() if row["auc"]]
    return sum(values) / len(values) if values else 0.0


def _worn_out(state: TrainState, recipe: Recipe) -> bool:
    return 0 < recipe.patience <= state.epoch - state.best_epoch


def _note_step(
    run: RunFolder, state: TrainState, recipe: Recipe, steps: int, total: float, seconds: float, progress: Progress
) -> None:
    speed = state.step * recipe.batch / seconds
    loss = total / state.step
    run.note(epoch=state.epoch, step=state.step, steps=steps, loss=round(loss, 4), images_per_second=round(speed, 1))
    words = f"epoch {state.epoch + 1}/{recipe.epochs}, loss {loss:.3f}, {speed:.0f} images/s"
    progress((state.epoch + state.step / steps) / recipe.epochs, words)


def _write_best(folder: Path, network: CalcificationNet, card: ModelCard, figures: dict[str, Any], epoch: int) -> None:
    today = datetime.now(UTC).date().isoformat()
    training = card.training | {"best_epoch": epoch}
    write_model(folder, network, replace(card, created=today, training=training, metrics={"validation": figures}))


def _finish(
    run: RunFolder, tiles: Tiles, answers: Predictions, recipe: Recipe, workers: int, progress: Progress
) -> None:
    """What is known only at the end: calibration, abstain band, held-out figures, and what typical tiles look like."""
    card = read_card(run.folder)
    found = calibrate(answers.logits, answers.targets, card.labels)
    card = replace(card, temperature=found.temperature, abstain=found.abstain)
    measured = {"validation": _calibrated_figures(answers, card)}
    if tiles.held_out is not None:
        seen = predict_tiles(read_model(run.folder).network, tiles.held_out, workers=workers)
        measured["held_out"] = _calibrated_figures(seen, card)
    write_card(run.folder, replace(card, training=card.training | {"abstain_error": ERROR}, metrics=measured))
    some = np.random.default_rng(recipe.seed).permutation(tiles.epoch_tiles)[:FEATURE_TILES]
    add_feature_distribution(run.folder, Subset(tiles.training, some.tolist()))
    views = min(recipe.views, recipe.epochs * tiles.epoch_tiles // TILES_A_VIEW)
    if views:
        calibrate_detections(
            run.folder, views=views, jobs=max(1, workers), progress=lambda _, text: progress(1.0, text)
        )
    run.finish()


def _calibrated_figures(answers: Predictions, card: ModelCard) -> dict[str, Any]:
    temperatures = [card.temperature.get(label, 1.0) for label in card.labels]
    return figures_of(answers._replace(logits=answers.logits / temperatures), card.labels)
