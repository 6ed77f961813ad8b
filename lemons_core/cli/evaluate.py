"""`evaluate`: a model measured on a collection, or on simulated tiles that it never saw."""

import argparse
from typing import Any

from lemons_core.cli.common import (
    DATA_HELP,
    AddCommand,
    ProgressBar,
    add_json,
    add_model,
    chosen_data,
    positive,
    print_json,
)


def register(command: AddCommand) -> None:
    evaluate = command("evaluate", _evaluate, "measure a model on the crops of one split, or on simulated tiles")
    evaluate.add_argument(
        "--data", metavar="simulated|published|demo|DIR", help=f"tiles drawn on the way, or {DATA_HELP}"
    )
    add_model(evaluate)
    evaluate.add_argument("--split", choices=("train", "test"), default="test", help="of a collection (default: test)")
    evaluate.add_argument("--n", type=positive, default=2000, help="tiles, with --data simulated (default: 2000)")
    evaluate.add_argument("--seed", type=int, default=0, help="of the tiles, with --data simulated")
    evaluate.add_argument("--workers", type=int, default=1, help="processes that draw tiles (default: 1)")
    evaluate.add_argument("--write-card", action="store_true", help="put the figures into the model's card")
    add_json(evaluate)


def _evaluate(arguments: argparse.Namespace) -> int:
    from lemons_core.vision.evaluate.evaluate import evaluate, write_metrics
    from lemons_core.vision.tiles.constants import SIMULATED

    progress = ProgressBar()
    figures = evaluate(
        arguments.data if arguments.data == SIMULATED else chosen_data(arguments.data).name,
        arguments.model,
        split=arguments.split,
        count=arguments.n,
        seed=arguments.seed,
        workers=arguments.workers,
        progress=progress,
    )
    progress.close()
    if arguments.write_card:
        write_metrics(arguments.model, figures)
    if arguments.json:
        print_json(figures)
    else:
        print(text_of(figures))
    return 0


def text_of(figures: dict[str, Any]) -> str:
    """The figures as a short table for a terminal."""
    from lemons_core.vision.evaluate.evaluate import interval_text

    lesions, single = figures["lesions"], figures["single_label"]
    lines = [
        f"{figures['data']}, {figures['split'].replace('_', ' ')}: {figures['crops']} crops, "
        f"{figures['normal_patches']} patches of normal tissue, {figures['patients']} patients",
        f"model {figures['model']['name']}, trained on {figures['model']['trained_on']}",
        *["It was trained on these pictures: the figures say nothing about others."][: figures["seen"]],
        "",
        f"{'label':<15}{'positive':>9}  {'AUC (95 % interval)':<22}{'average precision':<22}   ECE  answered, wrong",
    ]
    for label, row in figures["labels"].items():
        answers = row["abstain"]
        wrong = "" if answers["error"] is None else f", {answers['error'][0]:.1%}"
        lines.append(
            f"{label:<15}{row['positives']:>9}  {interval_text(row['auc']):<22}"
            f"{interval_text(row['average_precision']):<22}{row['ece']:>6.3f}  {answers['coverage'][0]:.0%}{wrong}"
        )
    for name, words in (("macro_average", "groups, mean"), ("micro_average", "groups, pooled")):
        row = figures[name]
        lines.append(f"{words:<26}{interval_text(row['auc']):<22}{interval_text(row['average_precision'])}")
    if lesions:
        lines += [
            "",
            f"{lesions['n']} lesions, {lesions['two_views']} in two views "
            f"({lesions['views_differ']['type']} with another type in each): "
            f"mean AUC of the groups {interval_text(lesions['macro_average']['auc'])}",
        ]
        if "malignancy" in lesions["labels"]:
            lines.append(f"malignancy by lesion: AUC {interval_text(lesions['labels']['malignancy']['auc'])}")
    if single:
        lines += [
            "",
            f"one label a crop (n = {single['n']}): accuracy {interval_text(single['accuracy'])}, "
            f"macro recall {single['macro_recall']:.3f}",
            "rows reference, columns predicted:",
            " " * 12 + "".join(f"{group:>11}" for group in single["groups"]),
        ]
        for group, counts in zip(single["groups"], single["confusion"], strict=True):
            lines.append(f"{group:<12}" + "".join(f"{count:>11}" for count in counts))
    lines += [f"not readable: {message}" for message in figures["unreadable"]]
    return "\n".join(lines)
