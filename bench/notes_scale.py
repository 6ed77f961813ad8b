"""Time of train + evaluate for 100 times the rows against the simulated tables as they are: within 60 times.

    python bench/notes_scale.py [--times 100]

Trust the ratio, not the seconds. More patients are made by copying the simulated ones under new names and giving every
copy a fresh density and subtlety, so that notes do not merely repeat.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd

from lemons_core.dataset.cases import read_cases
from lemons_core.notes.evaluate import evaluate
from lemons_core.notes.store import train_model, write_model
from lemons_core.simulate.demo.write import write_demo


def enlarge(table: pd.DataFrame, times: int) -> pd.DataFrame:
    """`times` copies of the table, each of different people."""
    rng = np.random.default_rng(0)
    copies = []
    for number in range(times):
        copy = table.copy()
        for column in ("patient_id", "lesion_id", "image_id", "case_id"):
            copy[column] = copy[column] + f"_{number}"
        copy["breast_density"] = pd.array(rng.integers(1, 5, len(copy)), dtype="Int64")
        copy["subtlety"] = pd.array(rng.integers(1, 6, len(copy)), dtype="Int64")
        copies.append(copy)
    return pd.concat(copies, ignore_index=True)


def seconds(table: pd.DataFrame, folder: Path) -> float:
    """Train and save with the card's figures, then score XGBoost on the official split by all feature sets."""
    start = time.perf_counter()
    write_model(train_model(table, trained_on="simulated rows", simulated=True), folder)
    evaluate(table, models=("xgboost",), protocols=("official",))
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=100)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder:
        table = read_cases(write_demo(Path(folder) / "demo", images=0, jobs=1)).calcifications
        seconds(table[:400], Path(folder) / "warm")  # first use loads the libraries
        small = min(seconds(table, Path(folder) / "small") for _ in range(2))
        large = seconds(enlarge(table, times), Path(folder) / "large")
    print(f"{len(table):>8,} rows  {small:7.1f} s")
    print(f"{len(table) * times:>8,} rows  {large:7.1f} s")
    print(f"{times} times the rows in {large / small:.1f} times the time")


if __name__ == "__main__":
    main()
