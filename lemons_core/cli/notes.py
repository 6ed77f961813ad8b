"""`notes train | evaluate | predict | leakage | search`. xgboost is loaded by the command that runs."""

import argparse
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import pandas as pd

from lemons_core.base import config
from lemons_core.base.config import DataChoice, Origin
from lemons_core.base.errors import DataError
from lemons_core.base.io import write_atomic, writing
from lemons_core.base.terms import display
from lemons_core.cli.common import AddCommand, Handler, ProgressBar, add_data, add_json, chosen_data, print_json
from lemons_core.dataset.collection import origin_of, read_cases_of
from lemons_core.metrics.binary import Estimate
from lemons_core.notes.answer import NoteAnswer, answer_note
from lemons_core.notes.evaluate import ModelScores, evaluate
from lemons_core.notes.explain import DESCRIPTOR_WORDS
from lemons_core.notes.leakage import TRICKS, leakage_lab
from lemons_core.notes.model import NoteModel, by_lesion, is_malignant, predict, usable_rows
from lemons_core.notes.parsing.parse import parse_note
from lemons_core.notes.search import search
from lemons_core.notes.store import data_words, fit_or_shipped, read_model, train_model, write_model
from lemons_core.notes.text import FEATURE_SETS, FIELD_WORDS, Features, build_notes

_WARNING = "A probability, not a diagnosis. The collection is case-enriched: this does not hold for screening."


def register(command: AddCommand) -> None:
    notes = command("notes", None, "malignancy from the professionals' notes")
    parts = notes.add_subparsers(required=True, metavar="ACTION")

    def action(name: str, run: Handler, text: str) -> argparse.ArgumentParser:
        sub = parts.add_parser(name, help=text, description=text, epilog=config.NOTICE)
        sub.set_defaults(run=run)
        add_data(sub)
        add_json(sub)
        return sub

    train = action("train", _train, "fit on the official training split; write the model and its card")
    _add_features(train, "assessment")
    train.add_argument("--out", type=Path, default=Path("runs/notes"), help="model folder (default: runs/notes)")
    train.add_argument("--seed", type=int, default=0)

    evaluate = action("evaluate", _evaluate, "every model, feature set and protocol, with intervals and n")
    _add_features(evaluate, None, "all three")

    predict = action("predict", _predict, "the probability of one note, or of every test row")
    _add_features(predict, None, "the richest that the note gives something for; assessment for rows")
    predict.add_argument("--text", help="one note as free text; without it the official test rows are predicted")
    predict.add_argument("--model", type=Path, metavar="DIR", help="a folder that `notes train` wrote")
    predict.add_argument("--unit", choices=("row", "lesion"), default="row", help="lesion: both views together")

    leakage = action("leakage", _leakage, "what each tempting shortcut adds to the figures")
    leakage.add_argument("--trick", action="append", metavar="NAME", help="this shortcut only; may be repeated")

    search = action("search", _search, "try every setting by patient-grouped folds of the training split; minutes")
    search.add_argument("--out", type=Path, metavar="CSV", help="write the whole table here")


def _add_features(parser: argparse.ArgumentParser, default: Features | None, words: str | None = None) -> None:
    parser.add_argument(
        "--features", choices=tuple(FEATURE_SETS), default=default, help=f"feature set (default: {words or default})"
    )


def _train(arguments: argparse.Namespace) -> int:
    table, data = _table(arguments)
    with closing(ProgressBar()) as progress:
        model = train_model(
            table,
            arguments.features,
            trained_on=data_words(data),
            simulated=data.origin == Origin.DEMO,
            seed=arguments.seed,
            progress=progress,
        )
    folder, card = write_model(model, arguments.out), model.card
    assert card is not None
    if arguments.json:
        shown = card.to_json()
        print_json({"model": str(folder), **{name: shown[name] for name in _CARD}})
        return 0
    print(f"{card.rows:,} rows of {card.patients:,} patients, {card.malignant:,} malignant: {card.trained_on}")
    for protocol, scores in card.metrics.items():
        print(f"{protocol:<11} n = {scores.n:,}  AUC {_interval(scores.auc)}  ECE {scores.ece:.3f}")
    print(f"model and card in {folder}")
    return 0


_CARD = ("features", "trained_on", "simulated", "rows", "patients", "malignant", "metrics", "limits")


def _evaluate(arguments: argparse.Namespace) -> int:
    table, data = _table(arguments)
    features = (arguments.features,) if arguments.features else tuple(FEATURE_SETS)
    with closing(ProgressBar()) as progress:
        result = evaluate(table, features=features, progress=progress)
    if arguments.json:
        print_json([row.to_json() for row in result])
        return 0
    print(f"{data.words}; AUC and accuracy with 95% intervals, drawn by patient; threshold 0.5\n")
    head = ("protocol", "model", "features", "subset", "unit", "n", "AUC", "accuracy", "sens", "spec", "Brier", "ECE")
    print(_aligned([head, *(_figures(row) for row in result)]))
    print("\nrow_split lets a patient stand on both sides: compare it with grouped_cv, never quote it.")
    return 0


def _predict(arguments: argparse.Namespace) -> int:
    if arguments.text is not None:
        return _predict_text(arguments)

    table, data = _table(arguments)
    model = _named_model(arguments) or _fitted_model(table, data, arguments.features or "assessment")
    rows = usable_rows(table)
    rows = rows[rows["split"] == "test"].reset_index(drop=True)
    if rows.empty:
        raise DataError(
            "There is no test row to predict", where=str(data.root), todo="Add the calcification test table."
        )
    probabilities = predict(model, build_notes(rows))
    if arguments.unit == "lesion":
        found = by_lesion(rows, probabilities)[["lesion_id", "patient_id", "views", "label", "probability"]]
        found = found.assign(label=found["label"].astype(int))
    else:
        found = rows[["case_id", "patient_id"]].assign(label=is_malignant(rows).astype(int), probability=probabilities)
    found = found.assign(probability=found["probability"].round(4), malignant=found["probability"] >= model.threshold)
    if arguments.json:
        print_json(found.to_dict("records"))
    else:
        trained_on = model.card.trained_on if model.card else "unknown data"
        print(f"{len(found)} {arguments.unit}s, {data.words}; model trained on {trained_on}")
        print(f"{_WARNING}\n")
        print(found.to_string(index=False))
    return 0


def _predict_text(arguments: argparse.Namespace) -> int:
    parsed = parse_note(arguments.text)  # an empty or endless note is refused before any model is fitted
    named = _named_model(arguments)
    if named:
        answer = answer_note(parsed, features=named.features, model_of=lambda features: named)
    else:
        answer = answer_note(parsed, features=arguments.features, model_of=partial(_fitted_model, *_table(arguments)))
    if arguments.json:
        print_json(answer.to_json())
    else:
        print(_answer_text(answer))
    return 0


def _leakage(arguments: argparse.Namespace) -> int:
    table, data = _table(arguments)
    with closing(ProgressBar()) as progress:
        tricks = leakage_lab(table, tricks=arguments.trick or tuple(TRICKS), progress=progress)
    if arguments.json:
        print_json([trick.to_json() for trick in tricks])
        return 0
    print(f"{data.words}; AUC with 95% intervals, drawn by patient\n")
    rows: list[Sequence[str]] = [("shortcut", "honest", "with it", "gain AUC", "gain accuracy")]
    for trick in tricks:
        if trick.honest and trick.tricked:
            sides = [f"{_interval(side.auc)} n={side.n}" for side in (trick.honest, trick.tricked)]
            rows.append((trick.title, *sides, f"{trick.gain_auc:+.3f}", f"{trick.gain_accuracy:+.3f}"))
        else:
            rows.append((trick.title, "not in this data", "", "", ""))
    print(_aligned(rows))
    print("\n" + "\n".join(f"{trick.title}: {trick.why}" for trick in tricks))
    return 0


def _search(arguments: argparse.Namespace) -> int:
    table, data = _table(arguments)
    with closing(ProgressBar()) as progress:
        found = search(table, progress=progress)
    if arguments.out:
        with writing("The table cannot be written"):
            write_atomic(arguments.out, found.to_csv(index=False).encode())
    if arguments.json:
        print_json(found.to_dict("records"))
    else:
        print(f"{len(found)} settings, {data.words}; cross-validated by patient, the chosen one first\n")
        print(found.head(20).round(4).to_string(index=False))
    return 0


def _table(arguments: argparse.Namespace) -> tuple[pd.DataFrame, DataChoice]:
    data = chosen_data(arguments.data)
    return read_cases_of(data).table, DataChoice(origin_of(data), data.root)


def _named_model(arguments: argparse.Namespace) -> NoteModel | None:
    """The model of the folder that was named, if one was."""

    model = read_model(arguments.model) if arguments.model else None
    if model and arguments.features and arguments.features != model.features:
        raise DataError(
            f"The model reads '{model.features}', not '{arguments.features}'",
            where=str(arguments.model),
            todo="Leave out --features, or train a model of that feature set.",
        )
    return model


def _fitted_model(table: pd.DataFrame, data: DataChoice, features: Features) -> NoteModel:
    with closing(ProgressBar()) as progress:
        return fit_or_shipped(table, data, features, progress=progress)


def _answer_text(answer: NoteAnswer) -> str:
    called = "at or above" if answer.malignant else "below"
    lines = [
        f"probability of malignancy {answer.probability:.2f}, {called} the operating point {answer.threshold:.2f}",
        f"model: {answer.features} features, trained on {answer.trained_on}",
        f"note: {answer.note}",
    ]
    for mention in answer.parsed.mentions:
        absent = " (absent)" if mention.negated else ""
        words = f"{FIELD_WORDS[mention.field]} {display(mention.value)}{absent}"
        lines.append(f'  read "{_printable(mention.text)}" as {words}')
    if answer.parsed.unknown:
        lines.append("  not understood: " + ", ".join(_printable(word.text) for word in answer.parsed.unknown))
    lines.append("log-odds, largest first:")
    for name, words, value in answer.explanation.steps:
        lines.append(f"  {DESCRIPTOR_WORDS.get(name, name):<18}{words:<42}{value:+.2f}")
    lines += [f"caution: {caution}" for caution in answer.cautions]
    lines.append(_WARNING)
    return "\n".join(lines)


def _figures(row: ModelScores) -> tuple[str, ...]:
    scores = row.scores
    rates = (f"{rate.value:.3f}" if rate else "-" for rate in (scores.sensitivity, scores.specificity))
    return (
        row.protocol, row.model, row.features, row.subset, row.unit, str(scores.n),
        _interval(scores.auc), _interval(scores.accuracy), *rates, f"{scores.brier:.3f}", f"{scores.ece:.3f}",
    )  # fmt: skip


def _interval(estimate: Estimate | None) -> str:
    return f"{estimate.value:.3f} ({estimate.low:.3f}-{estimate.high:.3f})" if estimate else "-"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
