"""`demo` and `cases`."""

import argparse
import json
from pathlib import Path

from lemons_core.base import config
from lemons_core.cli.common import AddCommand, ProgressBar, add_data, add_json, chosen_data, print_json


def register(command: AddCommand) -> None:
    demo = command("demo", _demo, "write the simulated demo data set, in the layout of CBIS-DDSM")
    demo.add_argument("--out", type=Path, help="a folder that does not exist yet (default: the user's cache folder)")
    demo.add_argument("--seed", type=int, default=0)

    cases = command("cases", _cases, "rows and patients by split, missing values, and the problems found")
    add_data(cases)
    cases.add_argument(
        "--pack", type=Path, metavar="DIR", help="write the four tables of --data DIR as the product holds them"
    )
    add_json(cases)


def _demo(arguments: argparse.Namespace) -> int:
    from lemons_core.dataset.collection import read_demo_marker
    from lemons_core.simulate.demo.write import write_demo

    out = arguments.out or config.read_settings().demo
    if read_demo_marker(out) is not None and arguments.out is None:
        print(f"The demo data is already there: {out}")
        return 0
    progress = ProgressBar()
    write_demo(out, seed=arguments.seed, progress=progress)
    progress.close()
    print(f"Simulated demo data written to {out}")
    return 0


def _cases(arguments: argparse.Namespace) -> int:
    from lemons_core.dataset.collection import read_cases_of
    from lemons_core.dataset.published.pack import write_packed

    data = chosen_data(arguments.data)
    if arguments.pack:
        print(f"Packed case table and its source written to {write_packed(data.root, arguments.pack).parent}")
        return 0
    summary = read_cases_of(data).summary()
    if arguments.json:
        print_json(summary)
        return 0
    rows, patients, problems = summary["rows"], summary["patients"], summary["problems"]
    assert isinstance(rows, dict) and isinstance(patients, dict) and isinstance(problems, list)
    print(f"{'table':<12}{'rows':>7}{'patients':>10}")
    for name, count in rows.items():
        print(f"{name:<12}{count:>7,}{patients[name]:>10,}")
    print(f"\nmissing: {json.dumps(summary['missing'])}\n\n{len(problems)} problems")
    for problem in problems:
        where = (problem["file"], problem["row"] and f"row {problem['row']}", problem["column"])
        print(f"  {', '.join(filter(None, where))}: {problem['what']}")
    return 0
