"""What a model says of held-out pictures, one by one: the best of each group and the worst errors, as pictures.

`python -m lemons_core.vision.evaluate.examples` does it in a process of its own, which gives the memory of torch back, and tells
its progress as JSON lines: [fraction, text].
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Subset

from lemons_core.base.errors import DataError, LemonsError
from lemons_core.base.progress import Progress
from lemons_core.base.terms import GROUPS
from lemons_core.dataset.collection import read_collection
from lemons_core.vision.evaluate.calibrate import calibrated
from lemons_core.vision.evaluate.measure import logits_of, predict_tiles
from lemons_core.vision.network.weights import Model, read_model
from lemons_core.vision.record.predictions import NONE, PredictionSet, write_predictions
from lemons_core.vision.tiles.crops import cut_tiles
from lemons_core.vision.tiles.data import SimulatedTiles, target_of

SEED = 4_000_037  # far from the seeds of training, validation and held-out figures
BEST, WORST = 4, 12  # pictures of each group, and of all errors
_CHUNK = 32
_LONGEST_PX = 320
_DARK, _WHITE = -3.0, 6.0  # local contrast shown as black and as white


def examples_of_simulated(model: Model, out: Path, *, count: int, progress: Progress | None = None) -> PredictionSet:
    """Answers for simulated tiles that no run has trained on, chosen or measured by; written to `out`."""
    tiles = SimulatedTiles(model.card, count=count, seed=SEED)
    logits, targets = [], []
    for start in range(0, count, _CHUNK):
        end = min(start + _CHUNK, count)
        answers = predict_tiles(model.network, Subset(tiles, range(start, end)))
        logits.append(answers.logits)
        targets.append(answers.targets)
        if progress:
            progress(end / count, f"{end:,} of {count:,} tiles")
    known = np.concatenate(targets)
    groups = [model.card.labels.index(group) for group in GROUPS]
    single = [_single(row) for row in known[:, groups]]
    words = f"{count:,} held-out simulated tiles"
    picked = _pick(out, words, model, np.concatenate(logits), known, single)
    return _write(picked, lambda number: tiles[number].inputs[0].numpy())


def examples_of_collection(model: Model, root: Path, out: Path, *, progress: Progress | None = None) -> PredictionSet:
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
        picked = _pick(out, words, model, logits, known, [tile.single or NONE for tile in tiles])
        return _write(picked, lambda number: np.load(tiles[number].path).astype(np.float32))


def _single(groups: np.ndarray) -> str | None:
    """The one group that is there, "none" for tissue without calcium; None for several, or where an eye cannot tell."""
    if np.isnan(groups).any() or (groups > 0).sum() > 1:
        return None
    return str(GROUPS[int(groups.argmax())]) if groups.any() else NONE


def _pick(
    out: Path,
    words: str,
    model: Model,
    logits: np.ndarray,
    known: np.ndarray,
    single: list[str | None],
) -> PredictionSet:
    """The answers, and which of them are worth a look."""
    labels = model.card.labels
    probabilities = calibrated(logits, labels, model.card.temperature)
    wrong = np.nan_to_num(np.abs(probabilities - known)).max(axis=1)
    best = {}
    for group in map(str, GROUPS):
        # Of the pictures that hold this group alone, so that each stands for one thing.
        own = np.flatnonzero([name == group for name in single])
        best[group] = own[np.argsort(wrong[own], kind="stable")][:BEST].tolist()
    worst = np.argsort(-wrong, kind="stable")[:WORST].tolist()
    return PredictionSet(out, words, list(labels), known, probabilities, single, best, worst)


def _write(answered: PredictionSet, picture: Callable[[int], np.ndarray]) -> PredictionSet:
    answered.folder.mkdir(parents=True, exist_ok=True)
    for number in {*answered.worst, *(number for chosen in answered.best.values() for number in chosen)}:
        grey = np.clip((picture(number) - _DARK) / (_WHITE - _DARK), 0, 1) * 255
        image = Image.fromarray(grey.round().astype(np.uint8))
        image.thumbnail((_LONGEST_PX, _LONGEST_PX), Image.Resampling.BOX)
        image.save(answered.folder / f"{number}.png")
    write_predictions(answered)
    return answered


def _main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="a collection; simulated tiles when not given")
    parser.add_argument("--count", type=int, default=400)
    given = parser.parse_args()

    def progress(fraction: float, text: str) -> None:
        print(json.dumps([fraction, text]), flush=True)

    try:
        model = read_model(given.model)
        if given.data:
            examples_of_collection(model, given.data, given.out, progress=progress)
        else:
            examples_of_simulated(model, given.out, count=given.count, progress=progress)
    except LemonsError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())
