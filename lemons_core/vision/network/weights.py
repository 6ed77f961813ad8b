"""Weights on disk: safetensors, strict, checked against the model card."""

import threading
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from lemons_core.base.config import read_settings
from lemons_core.base.errors import ModelError
from lemons_core.base.io import sha256_of, write_atomic
from lemons_core.vision.network.model import LABELS, CalcificationNet
from lemons_core.vision.record.card import CARD_NAME, MALIGNANCY, WEIGHTS_NAME, ModelCard, read_card, write_card


@dataclass(frozen=True)
class Model:
    """A network ready to predict, its card, the folder it was read from, and the lock of whoever uses the network."""

    network: CalcificationNet
    card: ModelCard
    folder: Path
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)


def read_model(directory: str | Path | None = None) -> Model:
    """Read a model folder; the same folder is read once a process as long as its files do not change.

    directory : None for the one in use (LEMONS_MODEL, else the shipped one)
    Raises ModelError: card or weights missing, damaged, or not belonging together
    """
    directory = Path(directory or read_settings().model)
    card = read_card(directory)
    path = directory / WEIGHTS_NAME
    if not path.is_file():
        raise ModelError("The weights are missing", where=str(path), todo="Copy the whole model folder, both files.")
    changed = tuple(file.stat().st_mtime_ns for file in (path, directory / CARD_NAME))
    return _read_checked(directory.resolve(), card.sha256, changed)


@lru_cache(maxsize=2)
def _read_checked(directory: Path, sha256: str, _changed: tuple[int, ...]) -> Model:
    card, path = read_card(directory), directory / WEIGHTS_NAME
    if sha256_of(path) != sha256:
        raise ModelError(
            "The weights are not those of the card: the SHA-256 differs",
            where=str(path),
            todo="The file is damaged or exchanged; get the model folder again.",
        )
    if card.labels not in (LABELS, (*LABELS, MALIGNANCY)):
        raise ModelError(f"The model has other outputs: {', '.join(card.labels)}", where=str(directory))
    network = CalcificationNet(card.labels)
    try:
        state = {key: value.float() if value.is_floating_point() else value for key, value in load_file(path).items()}
        network.load_state_dict(state, strict=True)
    except (SafetensorError, RuntimeError) as error:
        raise ModelError("The weights do not fit the network", where=str(path)) from error
    network.requires_grad_(False)  # a heat map asks for the gradient of features, never of weights
    return Model(network.eval().to(memory_format=torch.channels_last), card, directory)  # type: ignore[call-overload]


def write_model(directory: str | Path, network: CalcificationNet, card: ModelCard) -> ModelCard:
    """Write weights (fp16) and card; returns the card with the SHA-256 filled in."""
    directory = Path(directory)
    state = {
        key: (value.half() if value.is_floating_point() else value).contiguous().cpu()
        for key, value in network.state_dict().items()
    }
    data = save(state)
    write_atomic(directory / WEIGHTS_NAME, data)
    card = replace(card, sha256=sha256(data).hexdigest())
    write_card(directory, card)
    return card
