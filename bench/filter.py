"""Time of one change of a filter on the Data set page, for the simulated tables and for 100,000 rows: under 0.5 s.

    python bench/filter.py [--rows 100000]

`tables and figures` is the work alone; `page` is the whole rerun of the page as a visitor causes it, in Streamlit's
own test runner, without the browser. More patients are made by copying the rows of the CSV under new names.
"""

import argparse
import csv
import io
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pandas as pd

from lemons_core.charts.base import counts_figure, share_figure
from lemons_core.charts.labels import overlap_figure
from lemons_core.dataset import explore
from lemons_core.dataset.collection import read_collection
from lemons_core.simulate.demo.write import write_demo

ROOT = Path(__file__).parents[1]
CHANGES: tuple[dict[str, list[str]], ...] = (
    {"group": ["micro"]},
    {"group": ["micro"], "density": ["2 scattered", "3 heterogeneous"]},
    {"pathology": ["malignant"], "split": ["train"]},
    {},
)
_NAMES = re.compile(r"P_(\d{5})|(\d+(?:\.\d+){5,})")


def enlarge(folder: Path, rows: int) -> None:
    """Copy the rows of the training calcifications, each copy of other people and other files, up to `rows` in all."""
    path = next(folder.rglob("calc_case_description_train_set.csv"))
    other = next(folder.rglob("calc_case_description_test_set.csv"))
    lines = list(csv.reader(io.StringIO(path.read_text("utf-8"))))
    head, body = lines[0], lines[1:]
    missing = rows - len(body) - (len(list(csv.reader(io.StringIO(other.read_text("utf-8"))))) - 1)
    more = []
    for number in range(missing):
        copy, row = divmod(number, len(body))
        names = rf"P_{copy + 1:02}\1" if copy < 99 else rf"P_{copy + 1}\1"
        more.append([
            _NAMES.sub(lambda found, names=names, copy=copy: (
                found.expand(names) if found[1] else f"{found[2]}.{copy + 1}"
            ), cell)
            for cell in body[row]
        ])  # fmt: skip
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *body, *more])


def work(table: pd.DataFrame, filters: dict[str, list[str]], spent: dict[str, float]) -> None:
    """Filter, tables and figures, as the page makes them."""

    def timed(name: str, make: Callable[[], object]) -> object:
        start = time.perf_counter()
        made = make()
        spent[name] = spent.get(name, 0) + time.perf_counter() - start
        return made

    rows = timed("filter", lambda: explore.filter_rows(table, filters))
    assert isinstance(rows, pd.DataFrame)
    attribute = explore.ATTRIBUTES["morphology"]
    tables = timed("tables", lambda: (
        explore.count_by(rows, attribute), explore.malignant_share(rows, attribute),
        explore.co_occurrence(rows, attribute), explore.missing_together(rows), explore.missing_values(rows),
    ))  # fmt: skip
    counts, shares, both, gaps, _ = tables  # type: ignore[misc]
    timed("figures", lambda: [
        figure.to_json()
        for figure in (counts_figure(counts), share_figure(shares), overlap_figure(both),
                       counts_figure(gaps))
    ])  # fmt: skip


def page_seconds(root: Path, rows: int) -> float:
    """The slowest of the changes, each as the best of three: other work on the machine is not the page's."""
    from streamlit.testing.v1 import AppTest

    os.environ["LEMONS_DATA"] = str(root)
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=600).run()
    page.switch_page("pages/dataset.py").run()
    assert page.metric[0].value == f"{rows:,}"
    best = [float("inf")] * len(CHANGES)
    for _ in range(3):
        for number, filters in enumerate(CHANGES):
            for name in explore.FILTERS:
                page.session_state[name] = filters.get(name, [])
            start = time.perf_counter()
            page.run()
            best[number] = min(best[number], time.perf_counter() - start)
            assert not page.exception and not page.error
    return max(best)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    wanted = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LEMONS_CACHE"] = str(Path(folder) / "cache")
        root = write_demo(Path(folder) / "demo", images=0, jobs=1)
        (root / "SIMULATED.json").unlink(missing_ok=True)  # now it is a collection like any other
        large = shutil.copytree(root, Path(folder) / "large")
        enlarge(large, wanted)
        for data in (root, large):
            table = read_collection(data).table
            work(table, CHANGES[0], {})  # the first use loads libraries
            spent: dict[str, float] = {}
            for filters in CHANGES:
                work(table, filters, spent)
            each = {name: seconds / len(CHANGES) for name, seconds in spent.items()}
            print(f"{len(table):>8,} rows: tables and figures {sum(each.values()):.3f} s ("
                  + ", ".join(f"{name} {seconds:.3f}" for name, seconds in each.items())
                  + f"), page {page_seconds(data, len(table)):.3f} s", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
