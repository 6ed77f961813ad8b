"""`notes train | evaluate | predict | leakage | search`. xgboost is loaded by the command that runs."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from lemons_core.base import config
from lemons_core.base.errors import DataError
from lemons_core.base.io import write_atomic
from lemons_core.base.terms import display
from lemons_core.cli.common import AddCommand, Handler, ProgressBar, add_data, add_json, data_root, print_json
from lemons_core.dataset.cases import read_cases
from lemons_core.notes.text import FEATURE_SETS, Features

if TYPE_CHECKING:
    from lemons_core.notes.ask import Answer
    from lemons_core.notes.model import NoteModel

_WARNING = "A probability, not a diagnosis. The collection is case-enriched: this does not hold for screening."


def register(command: AddCommand) -> None:
    parts = command("notes", _none, "malignancy from the professionals' notes").add_subparsers(
        required=True, metavar="ACTION"
    )

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
        "--features", choices=FEATURE_SETS, default=default, help=f"feature set (default: {words or default})"
    )


def _none(arguments: argparse.Namespace) -> int:  # argparse asks for an action before it comes to this
    raise AssertionError("an action is required")


def _train(arguments: argparse.Namespace) -> int:
    from lemons_core.notes.store import write_model

    table, root = _table(arguments)
    progress = ProgressBar()
    model = _fit(table, root, arguments.features, progress, seed=arguments.seed)
    progress.close()
    folder = write_model(model, arguments.out)
    if arguments.json:
        print_json({"model": str(folder), **{key: model.card[key] for key in _CARD}})
        return 0
    card = model.card
    print(
        f"{card['rows']:,} rows of {card['patients']:,} patients, {card['malignant']:,} malignant: {card['trained_on']}"
    )
    for protocol, figures in card["metrics"].items():
        print(f"{protocol:<11} n = {figures['n']:,}  AUC {_triple(figures['auc'])}  ECE {figures['ece']:.3f}")
    print(f"model and card in {folder}")
    return 0


_CARD = ("features", "trained_on", "simulated", "rows", "patients", "malignant", "metrics", "limits")


def _evaluate(arguments: argparse.Namespace) -> int:
    from lemons_core.notes.evaluate import evaluate

    table, root = _table(arguments)
    progress = ProgressBar()
    result = evaluate(table, features=[arguments.features] if arguments.features else FEATURE_SETS, progress=progress)
    progress.close()
    if arguments.json:
        print_json(result)
        return 0
    print(f"{_origin(root)}; AUC and accuracy with 95% intervals, drawn by patient; threshold 0.5\n")
    head = ("protocol", "model", "features", "subset", "unit", "n", "AUC", "accuracy", "sens", "spec", "Brier", "ECE")
    print(_aligned([head, *(_figures(row) for row in result)]))
    print("\nrow_split lets a patient stand on both sides: compare it with grouped_cv, never quote it.")
    return 0


def _predict(arguments: argparse.Namespace) -> int:
    if arguments.text is not None:
        return _predict_text(arguments)
    from lemons_core.notes.model import by_lesion, is_malignant, predict, usable_rows
    from lemons_core.notes.text import build_notes

    table, root = _table(arguments)
    model = _model(arguments, table, root)(arguments.features or "assessment")
    rows = usable_rows(table)
    rows = rows[rows["split"] == "test"].reset_index(drop=True)
    if rows.empty:
        raise DataError("There is no test row to predict", where=str(root), todo="Add the calcification test table.")
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
        print(f"{len(found)} {arguments.unit}s, {_origin(root)}; model trained on {model.card['trained_on']}")
        print(f"{_WARNING}\n")
        print(found.to_string(index=False))
    return 0


def _predict_text(arguments: argparse.Namespace) -> int:
    from lemons_core.notes.ask import ask
    from lemons_core.notes.parsing.parse import parse_note
    from lemons_core.notes.store import read_shipped

    parse_note(arguments.text)  # an empty or endless note is refused before any model is fitted
    model_of = read_shipped
    if arguments.model or arguments.data or config.read_settings().data:
        table, root = (None, None) if arguments.model else _table(arguments)
        model_of = _model(arguments, table, root)
    features = arguments.features
    if arguments.model and features is None:
        features = model_of("assessment").features
    answer = ask(arguments.text, features=features, model_of=model_of)
    if arguments.json:
        print_json(_answer_json(answer))
    else:
        print(_answer_text(answer))
    return 0


def _leakage(arguments: argparse.Namespace) -> int:
    from lemons_core.notes.leakage import TRICKS, leakage_lab

    table, root = _table(arguments)
    progress = ProgressBar()
    tricks = leakage_lab(table, tricks=arguments.trick or TRICKS, progress=progress)
    progress.close()
    if arguments.json:
        print_json([asdict(t) | {"gain_auc": t.gain_auc, "gain_accuracy": t.gain_accuracy} for t in tricks])
        return 0
    print(f"{_origin(root)}; AUC with 95% intervals, drawn by patient\n")
    rows: list[Sequence[str]] = [("shortcut", "honest", "with it", "gain AUC", "gain accuracy")]
    for t in tricks:
        if t.honest and t.tricked:
            sides = [f"{_triple(side['auc'])} n={side['n']}" for side in (t.honest, t.tricked)]
            rows.append((t.title, *sides, f"{t.gain_auc:+.3f}", f"{t.gain_accuracy:+.3f}"))
        else:
            rows.append((t.title, "not in this data", "", "", ""))
    print(_aligned(rows))
    print("\n" + "\n".join(f"{t.title}: {t.why}" for t in tricks))
    return 0


def _search(arguments: argparse.Namespace) -> int:
    from lemons_core.notes.search import search

    table, root = _table(arguments)
    progress = ProgressBar()
    found = search(table, progress=progress)
    progress.close()
    if arguments.out:
        write_atomic(arguments.out, found.to_csv(index=False).encode())
    if arguments.json:
        print_json(found.to_dict("records"))
    else:
        print(f"{len(found)} settings, {_origin(root)}; cross-validated by patient, the chosen one first\n")
        print(found.head(20).round(4).to_string(index=False))
    return 0


def _table(arguments: argparse.Namespace) -> tuple[pd.DataFrame, Path]:
    root = data_root(arguments.data)
    return read_cases(root).table, root


def _simulated(root: Path) -> bool:
    from lemons_core.dataset.collection import read_demo_marker

    return read_demo_marker(root) is not None


def _origin(root: Path) -> str:
    return "simulated demo data" if _simulated(root) else f"case tables in {root}"


def _model(arguments: argparse.Namespace, table: pd.DataFrame | None, root: Path | None) -> Any:
    """Features to model: the folder that was named, the shipped one for simulated data, else fitted here and now."""
    from lemons_core.notes.store import read_model, read_shipped

    if arguments.model:
        model = read_model(arguments.model)
        if arguments.features and arguments.features != model.features:
            raise DataError(
                f"The model reads '{model.features}', not '{arguments.features}'",
                where=str(arguments.model),
                todo="Leave out --features, or train a model of that feature set.",
            )
        return lambda features: model
    assert table is not None and root is not None
    if _simulated(root):
        return read_shipped

    def fit(features: Features) -> "NoteModel":
        progress = ProgressBar()
        model = _fit(table, root, features, progress)
        progress.close()
        return model

    return fit


def _fit(table: pd.DataFrame, root: Path, features: Features, progress: ProgressBar, *, seed: int = 0) -> "NoteModel":
    from lemons_core.notes.store import data_words, train_model

    simulated = _simulated(root)
    words = data_words(root, simulated=simulated)
    return train_model(table, features, trained_on=words, simulated=simulated, seed=seed, progress=progress)


def _answer_json(answer: "Answer") -> dict[str, Any]:
    parsed, why = answer.parsed, answer.explanation
    return {
        "text": parsed.text if parsed else str(answer.note),
        "note": asdict(answer.note),
        "readings": [asdict(reading) for reading in parsed.readings] if parsed else [],
        "unknown": [reading.text for reading in parsed.unknown] if parsed else [],
        "features": answer.features,
        "probability": answer.probability,
        "malignant": answer.malignant,
        "threshold": answer.threshold,
        "explanation": {
            "base": why.base,
            "steps": [{"descriptor": name, "words": words, "log_odds": value} for name, words, value in why.steps],
        },
        "cautions": list(answer.cautions),
        "trained_on": answer.trained_on,
        "simulated": answer.simulated,
    }


def _answer_text(answer: "Answer") -> str:
    from lemons_core.notes.explain import DESCRIPTOR_WORDS

    called = "at or above" if answer.malignant else "below"
    lines = [
        f"probability of malignancy {answer.probability:.2f}, {called} the operating point {answer.threshold:.2f}",
        f"model: {answer.features} features, trained on {answer.trained_on}",
        f"note: {answer.note}",
    ]
    if answer.parsed:
        for reading in answer.parsed.readings:
            absent = " (absent)" if reading.negated else ""
            field = {"morphology": "type", "laterality": "side"}.get(reading.field, reading.field)
            words = DESCRIPTOR_WORDS.get(field, field)
            lines.append(f'  read "{_printable(reading.text)}" as {words} {display(reading.value)}{absent}')
        if answer.parsed.unknown:
            lines.append("  not understood: " + ", ".join(_printable(r.text) for r in answer.parsed.unknown))
    lines.append("log-odds, largest first:")
    lines += [
        f"  {DESCRIPTOR_WORDS.get(n, n):<18}{words:<42}{value:+.2f}" for n, words, value in answer.explanation.steps
    ]
    lines += [f"caution: {caution}" for caution in answer.cautions]
    lines.append(_WARNING)
    return "\n".join(lines)


def _figures(row: dict[str, Any]) -> tuple[str, ...]:
    head = (str(row[key]) for key in ("protocol", "model", "features", "subset", "unit", "n"))
    plain = (
        f"{row[key]:.3f}" if row[key] is not None else "-" for key in ("sensitivity", "specificity", "brier", "ece")
    )
    return (*head, _triple(row["auc"]), _triple(row["accuracy"]), *plain)


def _triple(figure: Any) -> str:
    return "-" if figure is None else f"{figure[0]:.3f} ({figure[1]:.3f}-{figure[2]:.3f})"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
