"""Why: what the model looks at, what moved one note, and which known cases read like it."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lemons_core.base.errors import ModelError
from lemons_core.base.terms import DISTRIBUTION, MORPHOLOGY, View, display
from lemons_core.metrics.binary import Estimate, auc, share
from lemons_core.notes.model import NoteModel, fill_in, is_malignant, log_odds, predict, sigmoid
from lemons_core.notes.text import FEATURE_SETS, FIELD_WORDS, GRADES, Note, build_notes

# Descriptor, as columns of the vectoriser name it -> the field of a Note that it stands for.
DESCRIPTORS: dict[str, str] = {"type": "morphology"} | {
    name: name for name in ("distribution", *FEATURE_SETS["assessment"].reads)
}
DESCRIPTOR_WORDS = {name: FIELD_WORDS[field] for name, field in DESCRIPTORS.items()} | {
    "type + distribution": "type and distribution"
}
_VALUES: dict[str, tuple[Any, ...]] = GRADES | {
    "type": tuple((token,) for token in MORPHOLOGY),
    "distribution": ((), *((token,) for token in DISTRIBUTION)),
    "view": tuple(view.value for view in View),
    "assessment": tuple(grade for grade in GRADES["assessment"] if grade != 1),  # which no training row has
}


@dataclass(frozen=True)
class NoteExplanation:
    """How one note comes to its probability, in log-odds: base + sum of steps = calibrated log-odds.

    base : raw margin of the average training row
    steps : descriptor, words shown, contribution; the last step is the calibration
    """

    probability: float
    base: float
    steps: tuple[tuple[str, str, float], ...]


def shap_values(model: NoteModel, notes: Sequence[Note]) -> tuple[np.ndarray, np.ndarray]:
    """Exact SHAP values by XGBoost's own `pred_contribs`.

    Returns values (N, columns of the vectoriser) and base (N,) in raw log-odds; a row of values plus its base is the
    margin.

    Source: Lundberg et al. 2020, doi:10.1038/s42256-019-0138-9.
    """
    import xgboost

    _only_trees(model)
    filled, weights, owner = fill_in(model, notes)
    matrix = xgboost.DMatrix(model.vectoriser.transform(filled), nthread=1)
    contributions = model.estimator.predict(matrix, pred_contribs=True).astype(float) * weights[:, None]
    summed = np.zeros((len(notes), contributions.shape[1]))
    np.add.at(summed, owner, contributions)
    return summed[:, :-1], summed[:, -1]


def explain_note(model: NoteModel, note: Note) -> NoteExplanation:
    """The waterfall of one note, largest step first and calibration last."""
    values, base = shap_values(model, [note])
    by_descriptor: dict[str, float] = {}
    for descriptor, value in zip(model.vectoriser.descriptors, values[0], strict=True):
        by_descriptor[descriptor] = by_descriptor.get(descriptor, 0.0) + float(value)
    steps = [(name, _words(note, name), value) for name, value in by_descriptor.items()]
    steps.sort(key=lambda step: -abs(step[2]))
    margin = float(base[0] + values[0].sum())
    final = float(log_odds(model, [note])[0])
    steps.append(("calibration", "fit of the probability to what was seen", final - margin))
    return NoteExplanation(float(sigmoid(np.array(final))), float(base[0]), tuple(steps))


def column_words(name: str) -> str:
    """A column of the vectoriser in words: "view_MLO" is "view MLO", "CLUSTERED" is "grouped"."""
    if name == "type_suspicion":
        return "suspicion of the type"
    if name in DESCRIPTOR_WORDS:
        return DESCRIPTOR_WORDS[name]
    if name.startswith("view_"):
        return name.replace("_", " ")
    return " + ".join(display(word) for word in name.split())


def gain_importance(model: NoteModel) -> pd.DataFrame:
    """Share of the trees' total gain by descriptor, largest first: descriptor, share (sums to 1)."""
    _only_trees(model)
    gains = model.estimator.get_score(importance_type="total_gain")
    shares: dict[str, float] = dict.fromkeys(model.vectoriser.descriptors, 0.0)
    for i, descriptor in enumerate(model.vectoriser.descriptors):
        shares[descriptor] += gains.get(f"f{i}", 0.0)
    total = sum(shares.values()) or 1.0
    table = pd.DataFrame({"descriptor": shares.keys(), "share": [value / total for value in shares.values()]})
    return table.sort_values("share", ascending=False, ignore_index=True)


def permutation_importance(model: NoteModel, table: pd.DataFrame, *, repeats: int = 20, seed: int = 0) -> pd.DataFrame:
    """How much AUC is lost when one descriptor is shuffled among held-out rows.

    table : rows that the model did not see, such as the test split
    Returns descriptor, loss (mean over repeats), low, high (5 % and 95 % of the repeats), n; largest loss first.
    """
    notes, labels = build_notes(table), is_malignant(table)
    whole = auc(labels, predict(model, notes))
    rng = np.random.default_rng(seed)
    rows = []
    for descriptor in _read_by(model):
        name = DESCRIPTORS[descriptor]
        losses = []
        for _ in range(repeats):
            order = rng.permutation(len(notes))
            shuffled = [replace(n, **{name: getattr(notes[i], name)}) for n, i in zip(notes, order, strict=True)]
            losses.append(whole - auc(labels, predict(model, shuffled)))
        low, high = np.quantile(losses, [0.05, 0.95])
        rows.append((descriptor, float(np.mean(losses)), float(low), float(high), len(notes)))
    columns = ["descriptor", "loss", "low", "high", "n"]
    return pd.DataFrame(rows, columns=columns).sort_values("loss", ascending=False, ignore_index=True)


def partial_dependence(model: NoteModel, notes: Sequence[Note], descriptor: str) -> pd.DataFrame:
    """Mean probability over `notes` when one descriptor is set to each of its values: value, words, probability.

    An average over notes that may not exist together (an eggshell with category 5): read it as a tendency.
    """
    if descriptor not in _read_by(model):
        raise ModelError(f"This model does not read '{descriptor}'", todo=f"Known: {', '.join(_read_by(model))}.")
    values = _VALUES[descriptor]
    changed = [replace(n, **{DESCRIPTORS[descriptor]: v}) for v, n in itertools.product(values, notes)]
    means = predict(model, changed).reshape(len(values), len(notes)).mean(axis=1)
    words = [_words(Note(**{DESCRIPTORS[descriptor]: value}), descriptor) for value in values]
    raw = ["-".join(value) if isinstance(value, tuple) else value for value in values]
    return pd.DataFrame({"value": raw, "words": words, "probability": means})


def similar_cases(table: pd.DataFrame, note: Note, *, count: int = 8) -> pd.DataFrame:
    """Known cases that read most like a note: rows of `table`, one a patient, with `similarity` (0-1), best first.

    Type and distribution weigh most (overlap of their tokens), then BI-RADS category, density, subtlety and view as far
    as the note gives them.
    """
    known = build_notes(table)
    distinct: dict[Note, float] = {other: _similarity(note, other) for other in set(known)}
    similarity = np.array([distinct[other] for other in known])
    order = np.argsort(-similarity, kind="stable")
    return table.iloc[order].assign(similarity=similarity[order]).drop_duplicates("patient_id").head(count)


def same_words(table: pd.DataFrame, note: Note) -> tuple[int, int, Estimate | None]:
    """Outcome of the cases with exactly this type and distribution: n, malignant, and their share (Wilson interval)."""
    words = (note.morphology, note.distribution)
    same = np.array([(known.morphology, known.distribution) == words for known in build_notes(table)], dtype=bool)
    n, malignant = int(same.sum()), int(is_malignant(table)[same].sum())
    return n, malignant, share(malignant, n)


def _similarity(note: Note, other: Note) -> float:
    parts = [(3.0, _overlap(note.morphology, other.morphology)), (2.0, _overlap(note.distribution, other.distribution))]
    for name, weight, span in (("assessment", 1.0, 5), ("breast_density", 0.5, 3), ("subtlety", 0.5, 4)):
        mine, theirs = getattr(note, name), getattr(other, name)
        if mine is not None:
            parts.append((weight, 0.0 if theirs is None else 1 - abs(mine - theirs) / span))
    if note.view:
        parts.append((0.25, float(note.view == other.view)))
    return sum(weight * value for weight, value in parts) / sum(weight for weight, _ in parts)


def _overlap(mine: tuple[str, ...], theirs: tuple[str, ...]) -> float:
    union = set(mine) | set(theirs)
    return len(set(mine) & set(theirs)) / len(union) if union else 1.0


def _read_by(model: NoteModel) -> tuple[str, ...]:
    return tuple(name for name in DESCRIPTORS if name in model.vectoriser.descriptors)


def _words(note: Note, descriptor: str) -> str:
    if descriptor == "type + distribution":
        return "the two together"
    value = getattr(note, DESCRIPTORS[descriptor]) if descriptor in DESCRIPTORS else None
    if value is None or value == ():
        return "not given"
    if descriptor == "assessment" and value == 0:
        return "0 (incomplete)"
    return display("-".join(value)) if isinstance(value, tuple) else str(value)


def _only_trees(model: NoteModel) -> None:
    if model.kind != "xgboost":
        raise ModelError(f"SHAP values and gain need the XGBoost model, not '{model.kind}'")
