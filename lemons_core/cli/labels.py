"""`labels`."""

import argparse
from pathlib import Path

import pandas as pd

from lemons_core.base.errors import DataError
from lemons_core.base.io import write_atomic, writing
from lemons_core.base.terms import GROUPS
from lemons_core.cli.common import AddCommand, ProgressBar, add_data, add_json, chosen_data, print_json
from lemons_core.dataset.collection import read_collection
from lemons_core.dataset.export import label_table, write_class_folders
from lemons_core.labels.mapping import DEFAULT_MAPPING, GroupMapping, read_mapping
from lemons_core.labels.review import find_suspects
from lemons_core.labels.summary import group_counts, multi_rows, summarise, uncovered_rows


def register(command: AddCommand) -> None:
    parser = command("labels", _labels, "sort the rows into the four groups; counts, suspects, exports")
    add_data(parser)
    parser.add_argument("--mapping", type=Path, default=DEFAULT_MAPPING, help="your own table of rules, a CSV file")
    parser.add_argument("--out", type=Path, metavar="CSV", help="write one row per abnormality here")
    parser.add_argument("--images", type=Path, metavar="DIR", help="write the labelled crops here, one folder a class")
    parser.add_argument("--model", type=Path, help="list confident disagreement with this image model as well")
    add_json(parser)


def _labels(arguments: argparse.Namespace) -> int:
    mapping = read_mapping(arguments.mapping)
    progress = ProgressBar()
    table = read_collection(chosen_data(arguments.data), mapping=mapping, progress=progress).table
    suspects = find_suspects(table, mapping, _probabilities(arguments.model, table, progress))
    progress.close()
    if arguments.out:
        _write_csv(arguments.out, label_table(table, suspects, mapping))
    failed = 0
    if arguments.images:
        with writing("The crops cannot be written", arguments.images):
            outcomes = write_class_folders(table, arguments.images, progress=progress)
        progress.close()
        failed = sum(outcome.error is not None for outcome in outcomes)
        if not arguments.json:
            print(f"{len(outcomes) - failed} pictures in {arguments.images}, {failed} not readable")
    if arguments.json:
        print_json(summarise(table, suspects["case_id"].nunique()))
    else:
        print(_text(table, mapping, suspects))
    return int(bool(failed))


def _probabilities(model_folder: Path | None, table: pd.DataFrame, progress: ProgressBar) -> pd.DataFrame | None:
    if model_folder is None:
        return None
    from lemons_core.vision.evaluate.unseen import predict_unseen
    from lemons_core.vision.network.weights import read_model

    return predict_unseen(table, read_model(model_folder), progress=progress)


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    if path.is_dir():
        raise DataError("--out must name a file", where=str(path), todo="Give a name such as labels.csv.")
    with writing("The labels cannot be written"):
        write_atomic(path, table.to_csv(index=False).encode())


def _text(table: pd.DataFrame, mapping: GroupMapping, suspects: pd.DataFrame) -> str:
    single, multi = group_counts(table), group_counts(table, multi=True)
    lines = [f"{'group':<11}{'train':>7}{'test':>7}   (single label; in brackets: rows that name the group at all)"]
    for group in map(str, GROUPS):
        counts = "".join(f"{single[split][group]:>7,}" for split in ("train", "test"))
        lines.append(f"{group:<11}{counts}   ({multi['train'][group]:,} / {multi['test'][group]:,})")
    uncovered = uncovered_rows(table)
    lines.append(f"\n{len(multi_rows(table)):,} of {len(table):,} rows belong to more than one group")
    lines.append(f"{len(uncovered)} rows without a type have no group")
    lines.append(f"\n{suspects['case_id'].nunique()} rows worth a second look:")
    lines += [f"  {reason}: {n}" for reason, n in suspects["reason"].value_counts(sort=False).items()]
    order = " > ".join(f"{rule.token} ({rule.group})" for rule in mapping.rules)
    lines.append(f"\nprecedence: {order}")
    return "\n".join(lines)
