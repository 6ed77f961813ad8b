"""What a whole view costs, in ratios of one run: `python bench/scan.py [--threads 2] [--file VIEW]`.

The floor is decoding the file and one fp32 pass of the whole network over the breast's bounding box at the model's
spacing. The other yardstick is the usual way: tile by tile, batch 1, a heat map each with pytorch-grad-cam's defaults.
For a crop with its heat map the floor is decoding, a forward pass, and a backward pass through the last block.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lemons_core.images import read_image, write_png
from lemons_core.simulate.crop import simulate_crop
from lemons_core.simulate.view import Lesion, simulate_view


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """The best of some runs after a warm one."""
    work()
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--file", type=Path, help="a whole view; default: a simulated one at 0.05 mm")
    parser.add_argument("--crop", type=Path, help="a crop; default: a simulated one of 1100 x 1100 pixels at 0.05 mm")
    parser.add_argument("--views", type=int, default=20, help="views one after the other, for the growth of memory")
    parser.add_argument("--quick", action="store_true", help="without the tile-by-tile yardstick")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = arguments.file or Path(folder) / "view.png"
        if arguments.file is None:
            lesions = [Lesion(("PLEOMORPHIC",)), Lesion(("VASCULAR",), "LINEAR", side=0.4)]
            view = simulate_view(lesions, rng=np.random.default_rng(1), spacing_mm=0.05)
            write_png(file, view.pixels)
            del view
        measure(file, arguments)
        crop = arguments.crop or Path(folder) / "crop.png"
        if arguments.crop is None:
            drawn = simulate_crop(("PLEOMORPHIC",), rng=np.random.default_rng(1), size_px=1100, spacing_mm=0.05)
            write_png(crop, drawn.pixels)
        measure_crop(crop, arguments)


def measure(file: Path, arguments: argparse.Namespace) -> None:
    import torch
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    from lemons_core.mammogram import FILM_SPACING_MM, find_breast
    from lemons_core.vision.detect.candidates import calcification_logit_map, find_candidates
    from lemons_core.vision.detect.detector import analyse
    from lemons_core.vision.network.preprocess import normalise, resample
    from lemons_core.vision.network.weights import read_model

    torch.set_num_threads(arguments.threads)
    model = read_model()
    card = model.card

    def scan() -> object:
        picture = read_image(file)
        return analyse(picture.pixels, spacing_mm=picture.spacing_mm or FILM_SPACING_MM)

    whole = seconds(scan)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    before = resident_mb()
    for _ in range(arguments.views):
        scan()
    grown = resident_mb() - before

    picture = read_image(file)
    spacing = picture.spacing_mm or FILM_SPACING_MM
    small = resample(picture.pixels, spacing, card.spacing_mm)
    normalised = normalise(small, card)
    tissue = find_breast(picture.pixels, spacing_mm=spacing).tissue(small.shape)
    rows, columns = (np.flatnonzero(tissue.any(axis=axis)) for axis in (1, 0))
    box = normalised[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    inputs = torch.from_numpy(np.ascontiguousarray(box))[None, None].contiguous(memory_format=torch.channels_last)

    def forward() -> None:
        with torch.inference_mode():
            model.network(inputs)

    parts = {
        "decode the file": seconds(lambda: read_image(file)),
        "find the breast": seconds(lambda: find_breast(picture.pixels, spacing_mm=spacing)),
        "resample and normalise": seconds(lambda: normalise(resample(picture.pixels, spacing, card.spacing_mm), card)),
        "look for specks": seconds(lambda: calcification_logit_map(normalised, tissue, model)),
    }
    logit_map = calcification_logit_map(normalised, tissue, model)
    candidates = find_candidates(normalised, logit_map, card.spacing_mm)
    parts["group them"] = seconds(lambda: find_candidates(normalised, logit_map, card.spacing_mm))
    pass_time = seconds(forward)
    floor = parts["decode the file"] + pass_time
    print(f"{file.name}: {picture.pixels.shape[0]} x {picture.pixels.shape[1]}, {arguments.threads} threads")
    print(f"  whole scan                    {whole:6.2f} s, of which")
    for name, spent in parts.items():
        print(f"    {name:<28}{spent:6.2f} s")
    print(f"    {f'read {len(candidates)} candidates, and rest':<28}{whole - sum(parts.values()):6.2f} s")
    print(f"  floor: decode + one fp32 pass {floor:6.2f} s   scan / floor = {whole / floor:.2f}")
    print(f"  peak memory {peak:.0f} MB; {arguments.views} more views grew it by {grown:.0f} MB")
    if arguments.quick:
        return

    network = model.network.requires_grad_(True)
    side = card.tile_px
    tiles = [
        normalised[y : y + side, x : x + side]
        for y in range(rows[0], rows[-1] - side, side // 2)
        for x in range(columns[0], columns[-1] - side, side // 2)
        if tissue[y : y + side, x : x + side].any()
    ]

    def usual() -> None:
        with GradCAM(model=network, target_layers=[network.layer4[-1]]) as cam:
            for tile in tiles:
                cam(torch.from_numpy(np.ascontiguousarray(tile))[None, None], targets=[ClassifierOutputTarget(0)])

    start = time.perf_counter()
    usual()
    spent = time.perf_counter() - start + parts["decode the file"]
    print(f"  tile by tile with heat maps   {spent:6.2f} s ({len(tiles)} tiles)   usual / scan = {spent / whole:.1f}")


def measure_crop(file: Path, arguments: argparse.Namespace) -> None:
    import torch

    from lemons_core.vision.detect.gradcam import LAYERS, explain_crop
    from lemons_core.vision.network.model import fuse_logits
    from lemons_core.vision.network.preprocess import normalise_image
    from lemons_core.vision.network.weights import read_model

    torch.set_num_threads(arguments.threads)
    model = read_model()
    network = model.network
    picture = read_image(file)
    inputs = normalise_image(picture.pixels, picture.spacing_mm, model.card).to_input()

    def passes() -> None:
        with torch.no_grad():
            early = network.early(inputs)
            features = network.layer4[:-1](network.layer3(early))
        features.requires_grad_()
        fuse_logits(network.head(network.layer4[-1](features)), network.spots(early))[0, 0].backward()

    def explained(layer: str) -> float:
        def work() -> None:
            picture = read_image(file)
            explain_crop(picture.pixels, spacing_mm=picture.spacing_mm, target="micro", layer=layer)

        return seconds(work, times=9)

    floor = seconds(lambda: read_image(file), times=9) + seconds(passes, times=9)
    print(f"{file.name}: {picture.pixels.shape[0]} x {picture.pixels.shape[1]}, {arguments.threads} threads")
    print(f"  floor: decode, forward, backward through the last block {1000 * floor:.0f} ms")
    for layer in LAYERS:
        spent = explained(layer)
        print(f"  answer and heat map, {layer}: {1000 * spent:.0f} ms   / floor = {spent / floor:.2f}")


if __name__ == "__main__":
    main()
