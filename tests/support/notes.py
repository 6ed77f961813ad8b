"""The simulated case table, once for all tests of the notes: tables only, no pictures."""

import tempfile
from functools import cache
from pathlib import Path

import pandas as pd

from lemons_core.dataset.cases import read_cases
from lemons_core.simulate.demo.write import write_demo

KEYS = {
    "model", "features", "protocol", "subset", "unit", "n", "auc", "average_precision", "accuracy", "sensitivity",
    "specificity", "threshold", "brier", "ece",
}  # fmt: skip


@cache
def demo_table() -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        return read_cases(write_demo(Path(folder) / "demo", images=0, jobs=1)).table
