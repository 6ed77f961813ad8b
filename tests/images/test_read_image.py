"""Every picture comes through one door: paths, the value it becomes, damaged files, threads, real files."""

import os
import pickle
import threading
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import uid
from support.dicom import H, W, compressed, dataset, encoded, file_bytes, lookup_table, ramp, read_picture, transcoded

from lemons_core.base.errors import ImageError
from lemons_core.base.terms import Laterality, View
from lemons_core.images import read_image


def test_type_is_told_by_content_and_paths_work(tmp_path: Path) -> None:
    for number, data in enumerate((file_bytes(dataset(ramp(8))), encoded(ramp(8), "PNG"), encoded(ramp(8), "TIFF"))):
        path = tmp_path / f"{number}.txt"
        path.write_bytes(data)
        for source in (path, str(path), data):
            np.testing.assert_allclose(read_image(source).pixels, ramp(8) / 255, atol=1e-6)


def test_unreadable_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImageError, match="does not exist"):
        read_image(tmp_path / "none.dcm")
    with pytest.raises(ImageError, match="folder"):
        read_image(tmp_path)
    with pytest.raises(ImageError, match="does not exist"):
        read_image("a\0b")
    large = tmp_path / "large.dcm"
    with large.open("wb") as file:
        file.truncate(80_000_000)  # sparse
    with pytest.raises(ImageError, match="too large"):
        read_image(large, max_pixels=1_000_000)

    def refuse(_path: Path) -> bytes:  # as root, a file mode keeps nobody out
        raise PermissionError

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ImageError, match="may not be read"):
        read_image(large)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_named_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImageError, match="ordinary file"):
        read_image(tmp_path / "pipe")


def test_picture_is_frozen_and_survives_pickling() -> None:
    picture = read_picture(ramp(), Laterality="L", PixelSpacing=["0.05", "0.05"])
    for value in (picture, pickle.loads(pickle.dumps(picture))):
        assert value.pixels.dtype == np.float32 and value.pixels.flags.c_contiguous
        with pytest.raises(ValueError):
            value.pixels[0, 0] = 1
        with pytest.raises(TypeError):
            value.header["modality"] = "CT"
        with pytest.raises(AttributeError):
            value.spacing_mm = 1.0
        assert (value.laterality, value.spacing_mm) == (Laterality.L, 0.05)
        assert hash(value) and value == value
    assert set(picture.header) <= {
        "photometric interpretation", "transfer syntax", "bits", "object", "modality", "presentation intent"
    }  # fmt: skip


def test_reading_in_threads_gives_the_same_pictures() -> None:
    good, bad = file_bytes(dataset(ramp())), file_bytes(dataset(ramp()))[:-1000]
    results: list[bool] = []

    def read() -> None:
        for _ in range(10):
            with pytest.raises(ImageError):
                read_image(bad)
            results.append(bool(np.allclose(read_image(good).pixels, ramp() / 65535)))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 40


def _damaged(data: bytes, rng: np.random.Generator) -> bytes:
    if rng.random() < 0.3:
        return data[: rng.integers(len(data))]
    broken = bytearray(data)
    for at in rng.integers(len(data), size=rng.integers(1, 9)):
        # Most bytes are pixels: aim at the header as often as at the rest.
        broken[at if rng.random() < 0.5 else at % 1200 % len(data)] = rng.integers(256)
    return bytes(broken)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["native", "deflated", "RLE", "JPEG 2000", "JPEG-LS", "PNG", "JPEG", "TIFF"])
def test_damaged_files_give_a_picture_or_an_image_error(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(20)
    values = (ramp(16) // 2 + rng.integers(0, 900, (H, W))).astype(np.uint16)
    ds = dataset(values, WindowCenter="9000", WindowWidth="20000", PixelSpacing=["0.05", "0.05"])
    ds.VOILUTSequence = [lookup_table(0, 16, np.arange(256) * 256)]
    if kind in ("PNG", "JPEG", "TIFF"):
        data = encoded((values // 256).astype(np.uint8), kind)
    elif kind in ("RLE", "JPEG 2000"):
        data = compressed(ds, uid.RLELossless if kind == "RLE" else uid.JPEG2000Lossless)
    elif kind == "JPEG-LS":
        data = transcoded(ds, uid.JPEGLSLossless, tmp_path)
    else:
        data = file_bytes(ds, uid.ImplicitVRLittleEndian if kind == "native" else uid.DeflatedExplicitVRLittleEndian)
    pictures, tries = 0, 20 if kind == "JPEG-LS" else 80  # each JPEG-LS stream starts a process
    for _ in range(tries):
        try:
            picture = read_image(_damaged(data, rng), max_pixels=1_000_000)
        except ImageError:
            continue
        pictures += 1
        assert picture.pixels.ndim == 2 and np.isfinite(picture.pixels).all()
        assert picture.pixels.min() >= 0 and picture.pixels.max() <= 1
    assert pictures < tries


def test_real_crop(real_data: Path) -> None:
    (path,) = (real_data / "cbis-ddsm" / "crop").glob("*_LEFT_MLO_1.dcm")
    picture = read_image(path)
    assert picture.pixels.shape == (1129, 1065)
    assert (picture.laterality, picture.view) == (Laterality.L, View.MLO)
    stored = pydicom.dcmread(path).pixel_array
    np.testing.assert_allclose(picture.pixels, stored / 65535, atol=1e-6)
    assert picture.notes == () and "P_00474" not in repr(picture)


def test_real_view(real_data: Path) -> None:
    (path,) = (real_data / "cbis-ddsm" / "view").glob("*.png")
    picture = read_image(path)
    assert picture.pixels.shape == (4560, 2864) and picture.spacing_mm is None
