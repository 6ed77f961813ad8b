"""Free response on simulated whole views that no training has seen.

    python bench/simulated.py [--views 40] [--normal 20] [--jobs 2] [--seed 0] [--model DIR]

Half of the views are film and half digital, CC and MLO, at 0.05 and 0.1 mm, a sixth at 0.2 mm; with one or two lesions
of every kind and distribution. Prints how many lesions are found at 1 and at 2 false regions a view, at the score from
which the app shows a region, the false regions on views without any calcification, how often the group is right, and
how well the score of a view tells the two apart.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from joblib import Parallel, delayed

from lemons_core.config import read_settings
from lemons_core.froc import Mark, MarkedView, free_response, lesion_of, operating_point, view_auc
from lemons_core.labels import read_mapping
from lemons_core.metrics import wilson
from lemons_core.simulate.view import Lesion, simulate_view
from lemons_core.terms import DISTRIBUTION, MORPHOLOGY

SEED = 60_000_011  # far from the seeds of training and of the demo data
SPACINGS = (0.05, 0.1, 0.1, 0.05, 0.1, 0.2)


def read_view(number: int, seed: int, lesions: bool, model_folder: Path) -> tuple[MarkedView, list[tuple[str, bool]]]:
    """Draw one view and read it; the second value tells of each lesion its first kind and whether it was shown."""
    import torch

    from lemons_core.vision.scan import MIN_SCORE, analyse
    from lemons_core.vision.weights import read_model

    torch.set_num_threads(1)
    rng = np.random.default_rng([SEED, seed, number, lesions])
    spacing = SPACINGS[number % len(SPACINGS)]
    wanted = [
        Lesion(
            (MORPHOLOGY[(number + 7 * k) % len(MORPHOLOGY)],),
            distribution=DISTRIBUTION[(number // 2 + k) % len(DISTRIBUTION)],
            depth=rng.uniform(0.25, 0.8),
            side=(-1) ** k * rng.uniform(0.2, 0.8),
        )
        for k in range(1 + number % 2)
    ]
    drawn = simulate_view(
        wanted if lesions else (),
        rng=rng,
        laterality="LR"[number % 2],
        view=("CC", "MLO")[number // 2 % 2],
        spacing_mm=spacing,
        look="film" if spacing == 0.2 or number % 2 else "digital",
    )
    visible = [(mask, tokens) for mask, tokens in zip(drawn.masks, drawn.tokens, strict=True) if tokens]
    masks = [mask for mask, _ in visible]
    groups = [read_mapping().label(tokens).groups for _, tokens in visible]
    result = analyse(drawn.pixels, spacing_mm=spacing, min_score=0.0, model=read_model(model_folder))
    marks = []
    for region in result.regions:
        hit = lesion_of(region, masks, spacing_mm=spacing)
        marks.append(Mark(region.score, hit, hit is not None and region.top in groups[hit]))
    shown = {mark.lesion for mark in marks if mark.score >= MIN_SCORE}
    told = [(tokens[0], place in shown) for place, (_, tokens) in enumerate(visible)]
    return MarkedView(result.score, len(visible), tuple(marks)), told


def print_point(words: str, point: dict) -> None:
    found, typed = (
        "none" if row is None else f"{row[0]:.2f} ({row[1]:.2f}-{row[2]:.2f})"
        for row in (point["sensitivity"], point["typed"])
    )
    normal = "-" if point["false_on_normal"] is None else f"{point['false_on_normal']:.2f}"
    print(
        f"{words:<26}{point['threshold']:>7.3f}  {found:<19}{point['false_with_lesions']:>11.2f}{normal:>9}   {typed}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--views", type=int, default=40, help="with lesions")
    parser.add_argument("--normal", type=int, default=20, help="without any calcification")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", type=Path, default=read_settings().model)
    given = parser.parse_args()

    from lemons_core.card import read_card
    from lemons_core.vision.scan import MIN_SCORE

    start = time.perf_counter()
    jobs = [(number, True) for number in range(given.views)] + [(number, False) for number in range(given.normal)]
    work = (delayed(read_view)(number, given.seed, lesions, given.model) for number, lesions in jobs)
    read, kinds = zip(*Parallel(n_jobs=given.jobs)(work), strict=True)
    card = read_card(given.model)
    print(f"python bench/simulated.py --views {given.views} --normal {given.normal} --seed {given.seed}")
    print(f"model {card.name} ({card.sha256[:12]}), trained on {card.trained_on}")
    lesions = sum(view.lesions for view in read)
    print(f"{given.views} views with {lesions} visible lesions, {given.normal} without; 95 % Wilson intervals\n")
    print(f"{'':<26}{'score':>7}  {'lesions found':<19}{'false/view':>11}{'normal':>9}   group right, of those found")
    for point in free_response(read):
        print_point(f"{point['false_per_view']:g} false a view", point)
    print_point("as shown in the app", operating_point(read, threshold=MIN_SCORE))
    auc = view_auc(read)
    print(f"\nview with or without: AUC {'not defined' if auc is None else '{:.3f} ({:.3f}-{:.3f})'.format(*auc)}")
    print("lesions shown, by kind:")
    for token in MORPHOLOGY:
        hits = [hit for told in kinds for name, hit in told if name == token]
        if hits:
            low, high = wilson(sum(hits), len(hits))
            print(f"  {token.lower().replace('_', ' '):<24}{sum(hits)}/{len(hits)}   ({low:.2f}-{high:.2f})")
    seconds = time.perf_counter() - start
    print(f"{seconds:.0f} s, {seconds * given.jobs / len(jobs):.1f} s a view and process, drawing included")


if __name__ == "__main__":
    main()
