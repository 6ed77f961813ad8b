"""Each transfer syntax is decoded to the right values; a stream that lies or crashes its decoder is an ImageError."""

import logging
import struct
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.encaps import encapsulate
from support.dicom import compressed, dataset, encoded, file_bytes, ramp, transcoded

from lemons_core.base.errors import ImageError
from lemons_core.images import read_image


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize(
    "syntax",
    [
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.RLELossless,
    ],
    ids=lambda syntax: syntax.name,
)
def test_native_syntaxes_are_exact(syntax: uid.UID, bits: int) -> None:
    values = ramp(bits)
    ds = dataset(values, bits=bits)
    if syntax == uid.ExplicitVRBigEndian and bits > 8:
        ds.PixelData = values.byteswap().tobytes()
    picture = read_image(compressed(ds, syntax) if syntax == uid.RLELossless else file_bytes(ds, syntax))
    np.testing.assert_allclose(picture.pixels, values / (2**bits - 1), atol=1e-7)
    assert picture.header["transfer syntax"] in picture.format


@pytest.mark.parametrize(
    ("syntax", "bits", "tolerance"),
    [
        (uid.JPEGBaseline8Bit, 8, 3),
        (uid.JPEGExtended12Bit, 12, 8),
        (uid.JPEGLossless, 8, 0),
        (uid.JPEGLossless, 16, 0),
        (uid.JPEGLosslessSV1, 12, 0),
        (uid.JPEGLosslessSV1, 16, 0),
        (uid.JPEGLSLossless, 8, 0),
        (uid.JPEGLSLossless, 16, 0),
        (uid.JPEGLSNearLossless, 12, 8),
        (uid.JPEG2000Lossless, 8, 0),
        (uid.JPEG2000Lossless, 16, 0),
        (uid.JPEG2000, 12, 8),
    ],
    ids=lambda value: value.name if isinstance(value, uid.UID) else str(value),
)
def test_compressed_syntaxes(syntax: uid.UID, bits: int, tolerance: int, tmp_path: Path) -> None:
    values = ramp(bits)
    picture = read_image(transcoded(dataset(values, bits=bits), syntax, tmp_path))
    off = np.abs(picture.pixels * (2**bits - 1) - values).max()
    assert off <= tolerance + 0.01
    lossy = syntax in (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless)
    assert any("Lossy" in warning for warning in picture.warnings) or not lossy


def test_pylibjpeg_jpeg_2000_is_exact() -> None:
    values = ramp(16)
    picture = read_image(compressed(dataset(values), uid.JPEG2000Lossless, encoding_plugin="pylibjpeg"))
    np.testing.assert_allclose(picture.pixels, values / 65535, atol=1e-7)
    assert picture.format == "DICOM (JPEG 2000 lossless)"


def test_pillow_baseline_jpeg_with_colour() -> None:
    rgb = np.stack([ramp(8), ramp(8), ramp(8)[::-1]], axis=-1)
    ds = dataset(rgb, PhotometricInterpretation="YBR_FULL_422")
    ds.PixelData = encapsulate([encoded(rgb, "JPEG", quality=95)])
    ds["PixelData"].is_undefined_length = True
    picture = read_image(file_bytes(ds, uid.JPEGBaseline8Bit))
    np.testing.assert_allclose(picture.pixels, rgb @ [0.299, 0.587, 0.114] / 255, atol=0.03)
    assert "colour converted to grey" in picture.notes


def test_stream_of_another_size_is_refused_before_decoding() -> None:
    ds = dataset(ramp(8))
    huge = bytearray(encoded(ramp(8), "JPEG"))
    start = huge.index(b"\xff\xc0")
    huge[start + 5 : start + 9] = struct.pack(">HH", 60000, 60000)
    ds.PixelData = encapsulate([bytes(huge)])
    with pytest.raises(ImageError, match="another size"):
        read_image(file_bytes(ds, uid.JPEGBaseline8Bit))

    ds = dataset(ramp(16))
    compressed(ds, uid.JPEG2000Lossless)
    ds.Rows = 32
    with pytest.raises(ImageError, match="another size"):
        read_image(file_bytes(ds, uid.JPEG2000Lossless))


def test_stream_that_crashes_its_decoder_is_an_error(tmp_path: Path) -> None:
    """gdcm aborts the process on a lossless JPEG of 7 bits; ours must live on."""
    data = bytearray(transcoded(dataset(ramp(12), bits=12), uid.JPEGLosslessSV1, tmp_path))
    data[data.index(b"\xff\xc3") + 4] = 7
    with pytest.raises(ImageError, match="damaged or cut short"):
        read_image(bytes(data))


def test_missing_decoder_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = transcoded(dataset(ramp(8)), uid.JPEGLSLossless, tmp_path)
    monkeypatch.setattr(type(pydicom.pixels.get_decoder(uid.JPEGLSLossless)), "available_plugins", ())
    with pytest.raises(ImageError, match=r"No decoder for JPEG-LS.*requirements"):
        read_image(data)


def test_decoder_tracebacks_stay_out_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    ds = dataset(ramp(8))
    ds.PixelData = encapsulate([encoded(ramp(8), "JPEG")[:-300]])
    with pytest.raises(ImageError, match="damaged or cut short"):
        read_image(file_bytes(ds, uid.JPEGLSLossless))
    assert not caplog.records
    logging.getLogger("pydicom").warning("others still log")
    assert caplog.records
