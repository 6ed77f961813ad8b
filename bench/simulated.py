"""Free response on simulated whole views that no training has seen.

    python bench/simulated.py [--views 40] [--normal 20] [--jobs 2] [--seed 0] [--model DIR]

Half of the views are film and half digital, CC and MLO, at 0.05 and 0.1 mm, a sixth at 0.2 mm; with one or two lesions
of every kind and distribution. Prints how many lesions are found at 1 and at 2 false regions a view and at the scores
from which regions are kept and shown, the false regions on views without any calcification, how often the group is
right, how well the score of a view tells the two apart, and how often places with a score are what they are said to be.
"""

import argparse
import sys
import time
from functools import partial
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from lemons_core.base.config import read_settings
from lemons_core.base.parallel import run_many
from lemons_core.base.terms import MORPHOLOGY
from lemons_core.metrics.binary import wilson
from lemons_core.metrics.froc import OperatingPoint, free_response, operating_point, view_auc
from lemons_core.vision.evaluate.view_calibration import ReadView, read_view
from lemons_core.vision.record.card import read_card
from lemons_core.vision.record.findings import MIN_SCORE, SHOWN_FROM


def print_point(words: str, point: OperatingPoint) -> None:
    found, typed = (
        "none" if row is None else f"{row[0]:.2f} ({row[1]:.2f}-{row[2]:.2f})"
        for row in (point.sensitivity, point.typed)
    )
    normal = "-" if point.false_on_normal is None else f"{point.false_on_normal:.2f}"
    print(f"{words:<26}{point.threshold:>7.3f}  {found:<19}{point.false_with_lesions:>11.2f}{normal:>9}   {typed}")


def share_text(hits: int, n: int) -> str:
    low, high = wilson(hits, n)
    return f"{hits}/{n} = {hits / n:.2f} ({low:.2f}-{high:.2f})"


def shown(view: ReadView, token: str) -> list[bool]:
    """Of every lesion that is first of all of this kind, whether a detection on it is shown."""
    hit = {mark.lesion for mark in view.marked.marks if mark.score >= SHOWN_FROM["view"]}
    return [lesion in hit for lesion, tokens in enumerate(view.tokens) if tokens[0] == token]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--views", type=int, default=40, help="with lesions")
    parser.add_argument("--normal", type=int, default=20, help="without any calcification")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", type=Path, default=read_settings().model)
    given = parser.parse_args()

    start = time.perf_counter()
    tasks = [(number, True) for number in range(given.views)] + [(number, False) for number in range(given.normal)]
    work = partial(read_view, seed=given.seed, model=given.model)
    named = {str(task): task for task in tasks}
    views = [outcome.get() for outcome in run_many(work, named, jobs=given.jobs, prefer="processes")]
    read = [view.marked for view in views]
    card = read_card(given.model)
    print(f"python bench/simulated.py --views {given.views} --normal {given.normal} --seed {given.seed}")
    print(f"model {card.name} ({card.sha256[:12]}), trained on {card.trained_on}")
    lesions = sum(view.lesions for view in read)
    print(f"{given.views} views with {lesions} visible lesions, {given.normal} without; 95 % Wilson intervals\n")
    print(f"{'':<26}{'score':>7}  {'lesions found':<19}{'false/view':>11}{'normal':>9}   group right, of those found")
    for point in free_response(read):
        print_point(f"{point.false_per_view:g} false a view", point)
    for limit in (MIN_SCORE, SHOWN_FROM["view"]):
        print_point(f"from a score of {limit:g}", operating_point(read, threshold=limit))
    auc = view_auc(read)
    print(f"\nview with or without: AUC {'not defined' if auc is None else '{:.3f} ({:.3f}-{:.3f})'.format(*auc)}")
    print("places by their score, and how many of them lie on calcium:")
    marks = [mark for view in read for mark in view.marks]
    for low, high in pairwise((0, 0.1, 0.2, 0.4, 0.6, 0.8, 1)):
        within = [mark for mark in marks if low <= mark.score < high]
        if within:
            hits, mean = sum(mark.lesion is not None for mark in within), sum(m.score for m in within) / len(within)
            print(f"  {low:.1f}-{high:.1f}, mean {mean:.2f}:  {share_text(hits, len(within))}")
    print("lesions shown, by kind:")
    for token in MORPHOLOGY:
        told = [hit for view in views for hit in shown(view, token)]
        if told:
            print(f"  {token.lower().replace('_', ' '):<24}{share_text(sum(told), len(told))}")
    seconds = time.perf_counter() - start
    print(f"{seconds:.0f} s, {seconds * given.jobs / len(tasks):.1f} s a view and process, drawing included")


if __name__ == "__main__":
    main()
