"""A model's predictions for held-out pictures, one by one: the best of each group and the worst errors, as pictures.

`python -m lemons_core.vision.evaluate.examples` is the child process of `vision.record.process.predict_examples`.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Subset

from lemons_core.base.child import serve
from lemons_core.base.errors import DataError
from lemons_core.base.progress import Progress, no_progress
from lemons_core.base.terms import GROUPS
from lemons_core.dataset.collection import read_collection
from lemons_core.vision.evaluate.measure import logits_of, predict_tiles
from lemons_core.vision.network.probabilities import calibrated, group_columns
from lemons_core.vision.network.weights import Model, read_model
from lemons_core.vision.record.card import ModelCard
from lemons_core.vision.record.predictions import NONE, PredictionSet, write_predictions
from lemons_core.vision.tiles.crops import cut_tiles
from lemons_core.vision.tiles.data import SimulatedTiles, target_of

SEED = 4_000_037  # far from the seeds of training, validation and held-out figures
BEST, WORST = 4, 12  # pictures of each group, and of all errors
_CHUNK = 32
_LONGEST_PX = 320
_DARK, _WHITE = -3.0, 6.0  # local contrast shown as black and as white


def examples_of_simulated(model: Model, out: Path, *, count: int, progress: Progress = no_progress) -> PredictionSet:
    """Predictions for simulated tiles that no run has trained on, chosen or measured by; written to `out`."""
    tiles = SimulatedTiles(model.card, count=count, seed=SEED)
    chunks = []
    for start in range(0, count, _CHUNK):
        end = min(start + _CHUNK, count)
        chunks.append(predict_tiles(model.network, Subset(tiles, range(start, end))))
        progress(end / count, f"{end:,} of {count:,} tiles")
    logits, known, _ = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
    single = [_single(row) for row in known[:, group_columns(model.card)]]
    words = f"{count:,} held-out simulated tiles"
    picked = _pick(out, words, card=model.card, logits=logits, known=known, single=single)
    return _write(picked, lambda number: tiles[number].inputs[0].numpy())


def examples_of_collection(
    model: Model, root: str | Path, out: Path, *, progress: Progress = no_progress
) -> PredictionSet:
    """The same for the crops of the official test split, and one patch of normal tissue from each of its views.

    Raises DataError when no crop of that split can be read.
    """
    rows = read_collection(root).with_crops("test")
    with TemporaryDirectory() as store:
        tiles, failed = cut_tiles(rows, Path(store), model.card, progress=progress)
        if not tiles:
            raise DataError("No crop could be read", where=str(root), todo=failed[0])
        known = torch.stack([target_of(tile.groups, labels=model.card.labels) for tile in tiles]).numpy()
        logits = np.stack([logits_of(model, np.load(tile.path)) for tile in tiles])
        crops = sum(bool(tile.groups) for tile in tiles)
        words = f"{crops:,} crops of the test split and {len(tiles) - crops:,} patches of normal tissue"
        single = [tile.single or NONE for tile in tiles]
        picked = _pick(out, words, card=model.card, logits=logits, known=known, single=single)
        return _write(picked, lambda number: np.load(tiles[number].path).astype(np.float32))


def _single(groups: np.ndarray) -> str | None:
    """The one group that is there, "none" for tissue without calcium; None for several, or where an eye cannot tell."""
    if np.isnan(groups).any() or (groups > 0).sum() > 1:
        return None
    return str(GROUPS[int(groups.argmax())]) if groups.any() else NONE


def _pick(
    out: Path, words: str, *, card: ModelCard, logits: np.ndarray, known: np.ndarray, single: Sequence[str | None]
) -> PredictionSet:
    """The predictions, and which of them are worth a look."""
    probabilities = calibrated(logits, card)
    wrong = np.nan_to_num(np.abs(probabilities - known)).max(axis=1)
    best = {}
    for group in map(str, GROUPS):
        # Of the pictures that hold this group alone, so that each stands for one thing.
        own = np.flatnonzero([name == group for name in single])
        best[group] = own[np.argsort(wrong[own], kind="stable")][:BEST].tolist()
    worst = np.argsort(-wrong, kind="stable")[:WORST].tolist()
    return PredictionSet(out, words, list(card.labels), known, probabilities, list(single), best, worst)


def _write(predictions: PredictionSet, picture: Callable[[int], np.ndarray]) -> PredictionSet:
    predictions.folder.mkdir(parents=True, exist_ok=True)
    for number in {*predictions.worst, *(number for chosen in predictions.best.values() for number in chosen)}:
        grey = np.clip((picture(number) - _DARK) / (_WHITE - _DARK), 0, 1) * 255
        image = Image.fromarray(grey.round().astype(np.uint8))
        image.thumbnail((_LONGEST_PX, _LONGEST_PX), Image.Resampling.BOX)
        image.save(predictions.folder / f"{number}.png")
    write_predictions(predictions)
    return predictions


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", help="a collection; simulated tiles when not given")
    parser.add_argument("--count", type=int, default=400)
    given = parser.parse_args()

    def work(progress: Progress) -> None:
        model = read_model(given.model)
        if given.data:
            examples_of_collection(model, given.data, given.out, progress=progress)
        else:
            examples_of_simulated(model, given.out, count=given.count, progress=progress)

    return serve(work)


if __name__ == "__main__":
    sys.exit(main())
