"""Conversion to 16 bit PNG: speed and size against the published recipe, and against the floor.

    python bench/convert.py [--views 40] [--jobs 2]

Writes simulated full-size film scans as uncompressed DICOM, then converts them all

- by `convert_collection`, the whole of it: reading, hashing, PNG, manifest;
- by the recipe published with TensorFlow Datasets, `dcmj2pnm +on2 FILE | convert - FILE.png`, two at a time
  (Debian: apt-get install dcmtk imagemagick); left out with a word when the programs are not there;
- by the floor: the bytes of each file are read and a picture of that size is compressed with the same PNG settings.

The order is turned round from round to round, and the ratios are those of the least times.
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from joblib import Parallel, delayed
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ImplicitVRLittleEndian, SecondaryCaptureImageStorage

from lemons_core.dataset.collection import read_collection
from lemons_core.dataset.convert import ConversionOptions, convert_collection
from lemons_core.images import png
from lemons_core.simulate.demo.dicom import make_uid
from lemons_core.simulate.view import Lesion, simulate_view

SPACING_MM = 0.04  # about 3200 x 4500 pixels


def write_views(root: Path, views: int) -> None:
    """Full-size views with the CSV that names them. Four scenes are drawn; the others vary them, with grain anew."""
    (root / "csv").mkdir(parents=True)
    scenes = [
        simulate_view(
            [Lesion(("PLEOMORPHIC",), "CLUSTERED", 0.5, 0.2)],
            rng=np.random.default_rng(k), laterality="LR"[k % 2], view=("CC", "MLO")[k // 2], spacing_mm=SPACING_MM,
        ).pixels
        for k in range(min(4, views))
    ]  # fmt: skip
    lines = [
        "patient_id,breast density,left or right breast,image view,abnormality id,abnormality type,calc type,"
        "calc distribution,assessment,pathology,subtlety,image file path,cropped image file path,ROI mask file path"
    ]
    rng = np.random.default_rng(0)
    for k in range(views):
        grey = scenes[k % len(scenes)]
        if k // len(scenes) % 2:
            grey = grey[::-1]
        grain = rng.normal(0, 0.002, grey.shape).astype(np.float32) * (grey > 0.02)
        # Twelve bits of a digitiser stretched over sixteen, as the collection's files hold them.
        pixels = (np.clip(np.rint((grey * rng.uniform(0.85, 1) + grain) * 4095), 0, 4095) * 16).astype(np.uint16)
        study, series = make_uid("bench", k, "study"), make_uid("bench", k, "series")
        folder = root / "CBIS-DDSM" / f"Calc-Training_P_{k:05}_LEFT_CC" / study / series
        folder.mkdir(parents=True)
        _write_dicom(folder / "1-1.dcm", pixels, series, make_uid("bench", k))
        path = f"Calc-Training_P_{k:05}_LEFT_CC/{study}/{series}/000000.dcm"
        lines.append(f"P_{k:05},2,LEFT,CC,1,calcification,PUNCTATE,CLUSTERED,4,BENIGN,3,{path},NA,NA")
    (root / "csv" / "calc_case_description_train_set.csv").write_text("\n".join(lines) + "\n")


def _write_dicom(path: Path, pixels: np.ndarray, series: str, instance: str) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = instance
    meta.TransferSyntaxUID = ImplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID, ds.Modality = SecondaryCaptureImageStorage, instance, "MG"
    ds.SeriesInstanceUID, ds.InstanceNumber = series, 1
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 0
    ds.PixelData = pixels.tobytes()
    ds.save_as(path, enforce_file_format=True)


def by_recipe(files: list[Path], out: Path, jobs: int) -> None:
    out.mkdir()
    names = "".join(f"{file}\0" for file in files)
    one = f'dcmj2pnm +on2 "$1" | convert - "{out}/$(basename "$(dirname "$1")").png"'
    subprocess.run(["xargs", "-0", "-n1", f"-P{jobs}", "sh", "-c", one, "recipe"], input=names, text=True, check=True)


def by_floor(files: list[Path], sizes: list[tuple[int, int]], jobs: int) -> None:
    Parallel(n_jobs=jobs, prefer="threads", batch_size=1)(
        delayed(_read_and_pack)(file, size) for file, size in zip(files, sizes, strict=True)
    )


def _read_and_pack(file: Path, size: tuple[int, int]) -> None:
    """The bytes of the file, and a PNG of them in memory: no header read, no hash, no names, nothing written."""
    data = file.read_bytes()
    count = size[0] * size[1]
    pixels = np.frombuffer(data, "<u2", count, len(data) - 2 * count).reshape(size)
    png.encode_png(io.BytesIO(), png.bands_of(pixels), height=size[0], width=size[1], bits=16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--views", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--recipe-views", type=int, default=40, help="views the recipe is given; it takes minutes")
    parser.add_argument("--work", type=Path, help="folder for views to keep and use again (default: a temporary one)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.work) as temporary:
        root = Path(given.work or temporary) / f"views-{given.views}"
        os.environ["LEMONS_CACHE"] = temporary
        if not root.exists():
            print(f"writing {given.views} views to {root}", flush=True)
            write_views(root, given.views)
        _measure(root, Path(temporary), given)


def _measure(root: Path, work: Path, given: argparse.Namespace) -> None:
    collection = read_collection(root)
    index = collection.index.files
    files = [root / path for path in index["path"]]
    sizes = list(zip(index["rows"].tolist(), index["columns"].tolist(), strict=True))
    jobs = given.jobs
    few = files[: given.recipe_views]
    options = ConversionOptions(["view"])
    ways: dict[str, tuple[list[Path], Callable[[Path], object]]] = {
        "ours": (files, lambda out: convert_collection(collection, out, options=options, jobs=jobs)),
        "floor": (files, lambda out: by_floor(files, sizes, jobs)),
    }
    if few and all(map(shutil.which, ("dcmj2pnm", "convert", "xargs"))):
        ways["recipe"] = (few, lambda out: by_recipe(few, out, jobs))
    print(f"{len(files)} views, about {sizes[0][0]} x {sizes[0][1]}, {jobs} jobs")
    speed: dict[str, list[float]] = {name: [] for name in ways}
    spent: dict[str, list[float]] = {name: [] for name in ways}
    share: dict[str, float] = {}
    for number in range(given.rounds):
        for name in list(ways)[:: -1 if number % 2 else 1]:
            if name == "recipe" and number:  # it takes many times as long as all the rest
                continue
            own, run = ways[name]
            out = work / f"{name}-{number}"
            read = sum(path.stat().st_size for path in own)
            start, processor = time.perf_counter(), time.process_time()
            run(out)
            speed[name].append(read / 1e6 / (time.perf_counter() - start))
            spent[name].append((time.process_time() - processor) / read * 1e9)
            share[name] = sum(path.stat().st_size for path in out.rglob("*.png")) / read
            shutil.rmtree(out, ignore_errors=True)
    for name in ways:
        print(
            f"{name:<8}{max(speed[name]):8.1f} MB/s"
            + (f"{share[name]:8.3f} of the bytes" if share[name] else "")
            + (f"{min(spent[name]):8.2f} s of processor a GB" if name != "recipe" else "")
        )
    print(
        f"ours against the floor: {max(speed['floor']) / max(speed['ours']):.2f} times its time, "
        f"{min(spent['ours']) / min(spent['floor']):.2f} times its processor time (at most 1.25 wanted)"
    )
    if "recipe" in ways:
        print(
            f"ours against the recipe: {max(speed['ours']) / max(speed['recipe']):.1f} times as fast "
            f"(at least 5 wanted), {share['ours'] / share['recipe']:.3f} times the bytes (at most 1.10 wanted)"
        )
    else:
        print("The recipe was not measured: apt-get install dcmtk imagemagick")


if __name__ == "__main__":
    main()
