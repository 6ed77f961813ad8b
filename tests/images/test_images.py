"""Every picture comes through one door: right values for right files, one clear ImageError for all others."""

import logging
import os
import pickle
import struct
import threading
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_windowing

from lemons_core.base.errors import ImageError
from lemons_core.base.terms import Laterality, View
from lemons_core.images import Picture, read_image, write_png

H, W = 48, 64
PLANTED = "Zitrone^Emma"


def _ramp(bits: int = 16, *, signed: bool = False) -> np.ndarray:
    """A smooth picture (48, 64) over the whole range of `bits`, so that lossy codecs stay close."""
    unit = np.add.outer(np.arange(H) / (H - 1), np.arange(W) / (W - 1)) / 2
    values = np.rint(unit * (2**bits - 1)).astype(np.int64) - (2 ** (bits - 1) if signed else 0)
    return values.astype(f"{'i' if signed else 'u'}{1 if bits <= 8 else 2}")


def _dataset(pixels: np.ndarray, *, bits: int | None = None, **elements: object) -> Dataset:
    allocated = 8 * pixels.dtype.itemsize
    ds = Dataset()
    ds.SOPClassUID = uid.SecondaryCaptureImageStorage
    ds.SOPInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    ds.Modality = "MG"
    ds.PatientName = PLANTED
    ds.Rows, ds.Columns = pixels.shape[:2]
    ds.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    ds.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    if pixels.ndim == 3:
        ds.PlanarConfiguration = 0
    ds.BitsAllocated, ds.BitsStored = allocated, bits or allocated
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    ds.PixelData = pixels.tobytes()
    ds["PixelData"].VR = "OB" if allocated == 8 else "OW"
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


def _bytes(ds: Dataset, syntax: uid.UID = uid.ExplicitVRLittleEndian) -> bytes:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    out = BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _compressed(ds: Dataset, syntax: uid.UID, **options: str) -> bytes:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    ds.compress(syntax, **options)
    return _bytes(ds, syntax)


def _picture(pixels: np.ndarray, *, bits: int | None = None, **elements: object) -> Picture:
    return read_image(_bytes(_dataset(pixels, bits=bits, **elements)))


def _encoded(picture: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _gdcm(ds: Dataset, syntax: uid.UID, folder: Path) -> bytes:
    """Transcode with gdcm; skips where this build has no such encoder."""
    gdcm = pytest.importorskip("gdcm")
    (folder / "in.dcm").write_bytes(_bytes(ds))
    reader = gdcm.ImageReader()
    reader.SetFileName(str(folder / "in.dcm"))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
    change.SetInput(reader.GetImage())
    if not change.Change():
        pytest.skip(f"gdcm has no encoder for {syntax.name}")
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(folder / "out.dcm"))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return (folder / "out.dcm").read_bytes()


# ---------------------------------------------------------------- DICOM: transfer syntaxes


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
    values = _ramp(bits)
    ds = _dataset(values, bits=bits)
    if syntax == uid.ExplicitVRBigEndian and bits > 8:
        ds.PixelData = values.byteswap().tobytes()
    picture = read_image(_compressed(ds, syntax) if syntax == uid.RLELossless else _bytes(ds, syntax))
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
    values = _ramp(bits)
    picture = read_image(_gdcm(_dataset(values, bits=bits), syntax, tmp_path))
    off = np.abs(picture.pixels * (2**bits - 1) - values).max()
    assert off <= tolerance + 0.01
    lossy = syntax in (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless)
    assert any("Lossy" in warning for warning in picture.warnings) or not lossy


def test_pylibjpeg_jpeg_2000_is_exact() -> None:
    values = _ramp(16)
    picture = read_image(_compressed(_dataset(values), uid.JPEG2000Lossless, encoding_plugin="pylibjpeg"))
    np.testing.assert_allclose(picture.pixels, values / 65535, atol=1e-7)
    assert picture.format == "DICOM (JPEG 2000 lossless)"


def test_pillow_baseline_jpeg_with_colour() -> None:
    rgb = np.stack([_ramp(8), _ramp(8), _ramp(8)[::-1]], axis=-1)
    ds = _dataset(rgb, PhotometricInterpretation="YBR_FULL_422")
    ds.PixelData = encapsulate([_encoded(rgb, "JPEG", quality=95)])
    ds["PixelData"].is_undefined_length = True
    picture = read_image(_bytes(ds, uid.JPEGBaseline8Bit))
    np.testing.assert_allclose(picture.pixels, rgb @ [0.299, 0.587, 0.114] / 255, atol=0.03)
    assert "colour converted to grey" in picture.notes


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian])
@pytest.mark.parametrize("keep_meta", [True, False], ids=["meta", "bare"])
def test_dicom_without_preamble(syntax: uid.UID, keep_meta: bool) -> None:
    values = _ramp()
    ds = _dataset(values)
    if syntax == uid.ExplicitVRBigEndian:
        ds.PixelData = values.byteswap().tobytes()
    data = _bytes(ds, syntax)
    (meta_length,) = struct.unpack_from("<I", data, 140)
    picture = read_image(data[132:] if keep_meta else data[144 + meta_length :])
    np.testing.assert_allclose(picture.pixels, values / 65535, atol=1e-7)
    assert "DICOM without preamble" in picture.notes


# ---------------------------------------------------------------- DICOM: grey pipeline


def test_stored_range_of_signed_values() -> None:
    picture = _picture(_ramp(12, signed=True), bits=12)
    np.testing.assert_allclose(picture.pixels, _ramp(12) / 4095, atol=1e-7)


def test_rescale_without_window_keeps_the_order() -> None:
    values = _ramp(12)
    assert np.allclose(_picture(values, bits=12, RescaleSlope="2", RescaleIntercept="-1000").pixels, values / 4095)
    flipped = _picture(values, bits=12, RescaleSlope="-1", RescaleIntercept="4095")
    np.testing.assert_allclose(flipped.pixels, 1 - values / 4095, atol=1e-6)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("rescale", [{}, {"RescaleSlope": "2", "RescaleIntercept": "-100"}], ids=["plain", "rescaled"])
@pytest.mark.parametrize("signed", [False, True])
def test_windows_agree_with_pydicom(function: str, rescale: dict[str, str], signed: bool) -> None:
    values = _ramp(12, signed=signed)
    window = {"WindowCenter": ["700", "5"], "WindowWidth": ["1500", "7"], "VOILUTFunction": function}
    ds = _dataset(values, bits=12, **rescale, **window)
    slope, intercept = float(rescale.get("RescaleSlope", 1)), float(rescale.get("RescaleIntercept", 0))
    low, high = (-2048 if signed else 0) * slope + intercept, (2047 if signed else 4095) * slope + intercept
    expected = (apply_windowing(values * slope + intercept, ds) - low) / (high - low)
    picture = read_image(_bytes(ds))
    np.testing.assert_allclose(picture.pixels, expected, atol=1e-5)
    assert "window 700/1500 applied" in picture.notes


@pytest.mark.parametrize(
    ("centre", "width"), [("700", "0"), ("700", "-5"), ("nan", "100"), ("abc", "100"), ("", "100")]
)
def test_senseless_window_is_left_out(centre: str, width: str) -> None:
    ds = _dataset(_ramp(12), bits=12)
    for keyword, value in (("WindowCenter", centre), ("WindowWidth", width)):
        ds.add_new(keyword, "LO", value)  # not DS: pydicom would refuse to write these
    picture = read_image(_bytes(ds, uid.ImplicitVRLittleEndian))
    np.testing.assert_allclose(picture.pixels, _ramp(12) / 4095, atol=1e-7)
    assert any("window" in warning for warning in picture.warnings)


def _table(first: int, depth: int, entries: np.ndarray) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(entries) % 65536, first, depth]
    item["LUTDescriptor"].VR = "US"
    item.LUTData = [int(entry) for entry in entries]
    item["LUTData"].VR = "US"
    return item


@pytest.mark.parametrize("depth", [8, 12, 16])
@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian])
@pytest.mark.parametrize("sequence", ["VOILUTSequence", "ModalityLUTSequence"])
def test_lookup_tables(sequence: str, syntax: uid.UID, depth: int) -> None:
    """4096 entries of 8 bits too, where pydicom's own function wraps around at index 256."""
    curve = np.rint((np.arange(4096) / 4095) ** 2 * (2**depth - 1))
    ds = _dataset(_ramp(12), bits=12, **{sequence: [_table(0, depth, curve)], "WindowCenter": "2", "WindowWidth": "3"})
    if sequence == "ModalityLUTSequence":
        del ds.WindowCenter, ds.WindowWidth
    picture = read_image(_bytes(ds, syntax))
    np.testing.assert_allclose(picture.pixels, curve[_ramp(12)] / (2**depth - 1), atol=1e-6)
    assert any("lookup table applied" in note for note in picture.notes)


def test_lookup_table_starting_above_zero_clamps_at_its_ends() -> None:
    table = _table(1000, 16, np.linspace(100, 60000, 1000))
    pixels = _picture(_ramp(12), bits=12, VOILUTSequence=[table]).pixels * 65535
    assert pixels.min() == pytest.approx(100, abs=0.1)
    assert pixels.max() == pytest.approx(60000, abs=0.1)
    assert pixels[_ramp(12) < 1000].max() == pytest.approx(100, abs=0.1)


def test_lookup_table_cut_short_is_an_error() -> None:
    table = _table(0, 12, np.arange(4096))
    table.LUTData = [1, 2, 3]
    with pytest.raises(ImageError, match="damaged"):
        _picture(_ramp(12), bits=12, VOILUTSequence=[table])


def test_monochrome1_is_inverted_after_the_window() -> None:
    values = _ramp(12)
    window = {"WindowCenter": "1000", "WindowWidth": "2000"}
    plain = _picture(values, bits=12, **window)
    inverted = _picture(values, bits=12, PhotometricInterpretation="MONOCHROME1", **window)
    np.testing.assert_allclose(inverted.pixels, 1 - plain.pixels, atol=1e-6)
    assert inverted.notes == ("window 1000/2000 applied", "inverted: MONOCHROME1")


def test_few_grey_levels_are_spread_and_noted() -> None:
    values = (_ramp(16) // 16 + 5000).astype(np.uint16)
    picture = _picture(values)
    assert (picture.pixels.min(), picture.pixels.max()) == (0, 1)
    assert any("few grey levels" in note for note in picture.notes)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("limit", [None, 65535])
def test_padding_is_black_and_does_not_set_the_range(photometric: str, limit: int | None) -> None:
    values = (_ramp(16) // 16 + 5000).astype(np.uint16)
    clean = _picture(values, PhotometricInterpretation=photometric).pixels
    padded = values.copy()
    padded[:, :10] = 65000
    elements = {"PixelPaddingValue": 65000} | ({} if limit is None else {"PixelPaddingRangeLimit": limit})
    picture = _picture(padded, PhotometricInterpretation=photometric, **elements)
    assert (picture.pixels[:, :10] == 0).all()
    np.testing.assert_allclose(picture.pixels[-1, 10:], clean[-1, 10:], atol=0.12)  # the range of what is left
    assert picture.pixels[:, 10:].max() == 1
    assert "padding set to black" in picture.notes


def test_signed_padding_written_as_unsigned() -> None:
    values = _ramp(16, signed=True)
    values[:, :10] = -32768
    ds = _dataset(values)
    ds.add_new("PixelPaddingValue", "US", 32768)
    assert (read_image(_bytes(ds)).pixels[:, :10] == 0).all()


@pytest.mark.parametrize("signed", [False, True])
def test_overlay_in_unused_bits_is_cleared(signed: bool) -> None:
    values = _ramp(12, signed=signed)
    overlay = (values.view(np.uint16) & 0x0FFF) | (np.indices((H, W)).sum(axis=0) % 2 * 0x4000).astype(np.uint16)
    picture = _picture(overlay.view(values.dtype), bits=12)
    np.testing.assert_array_equal(picture.pixels, _picture(values, bits=12).pixels)


def test_palette_and_colour_dicom_become_grey() -> None:
    index = _ramp(8)
    ds = _dataset(index, PhotometricInterpretation="PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(ds, f"{colour}PaletteColorLookupTableData", (np.arange(256, dtype="<u2") * 257).tobytes())
    picture = read_image(_bytes(ds))
    np.testing.assert_allclose(picture.pixels, index / 255, atol=1e-6)
    assert picture.notes == ("grey picture stored as colour, converted to grey",)

    rgb = np.stack([index, index[::-1], index[:, ::-1]], axis=-1)
    picture = _picture(rgb)
    np.testing.assert_allclose(picture.pixels, rgb @ [0.299, 0.587, 0.114] / 255, atol=1e-6)
    assert "colour converted to grey" in picture.notes
    assert any("colour" in warning for warning in picture.warnings)


def test_wide_and_float_pixels() -> None:
    wide = _ramp(16).astype(np.uint32) * 65537
    np.testing.assert_allclose(_picture(wide).pixels, _ramp(16) / 65535, atol=1e-6)

    ds = _dataset(_ramp(8))
    del ds.PixelData, ds.BitsStored, ds.HighBit, ds.PixelRepresentation
    values = _ramp(16).astype(np.float32)
    values[0, 0] = np.nan
    ds.BitsAllocated, ds.FloatPixelData = 32, values.tobytes()
    picture = read_image(_bytes(ds))
    np.testing.assert_allclose(picture.pixels[1:], _ramp(16)[1:] / 65535, atol=0.02)
    assert picture.pixels[0, 0] == 0 and "values that are not numbers set to black" in picture.notes


def test_unusual_high_bit_warns() -> None:
    assert any("HighBit" in warning for warning in _picture(_ramp(12), bits=12, HighBit=15).warnings)


def test_raw_digital_and_foreign_modalities_warn() -> None:
    picture = _picture(_ramp(), PresentationIntentType="FOR PROCESSING", Modality="CT")
    assert any("for processing" in warning for warning in picture.warnings)
    assert any("CT" in warning for warning in picture.warnings)


# ---------------------------------------------------------------- DICOM: side, view, spacing, privacy


def _code(value: str) -> list[Dataset]:
    item = Dataset()
    item.CodeValue = value
    return [item]


@pytest.mark.parametrize(
    ("elements", "laterality", "view"),
    [
        ({"ImageLaterality": "R", "ViewPosition": "CC"}, "R", "CC"),
        ({"ImageLaterality": "L", "Laterality": "R", "ViewPosition": "MLO"}, "L", "MLO"),
        ({"Laterality": "L", "PatientOrientation": "MLO"}, "L", "MLO"),
        ({"PatientOrientation": ["A", "FR"], "ViewCodeSequence": _code("R-10226")}, None, "MLO"),
        ({"ViewCodeSequence": _code("399162004"), "ImageLaterality": "B"}, None, "CC"),
        ({"ViewPosition": "ML"}, None, None),
        ({}, None, None),
    ],
)
def test_side_and_view(elements: dict[str, object], laterality: str | None, view: str | None) -> None:
    picture = _picture(_ramp(), **elements)
    assert picture.laterality == (laterality and Laterality(laterality))
    assert picture.view == (view and View(view))


@pytest.mark.parametrize(
    ("elements", "spacing", "source"),
    [
        ({"ImagerPixelSpacing": ["0.07", "0.07"], "PixelSpacing": ["0.06", "0.06"]}, 0.07, "ImagerPixelSpacing"),
        ({"PixelSpacing": ["0.05", "0.05"]}, 0.05, "PixelSpacing"),
        ({"PixelSpacing": ["0.05", "0.06"]}, 0.055, "PixelSpacing"),
        ({"ImagerPixelSpacing": ["0", "0"], "PixelSpacing": ["0.05", "0.05"]}, 0.05, "PixelSpacing"),
        ({"PixelSpacing": ["-0.05", "-0.05"]}, None, "unknown"),
        ({"PixelSpacing": ["5", "5"]}, None, "unknown"),
        ({"PixelSpacing": "0.05"}, None, "unknown"),
        ({}, None, "unknown"),
    ],
)
def test_dicom_spacing(elements: dict[str, object], spacing: float | None, source: str) -> None:
    picture = _picture(_ramp(), **elements)
    assert picture.spacing_mm == (spacing and pytest.approx(spacing))
    assert picture.spacing_source == source
    assert any("No pixel spacing" in warning for warning in picture.warnings) == (spacing is None)


def test_uneven_spacing_is_noted_and_text_in_it_refused() -> None:
    assert any("mean" in note for note in _picture(_ramp(), PixelSpacing=["0.05", "0.06"]).notes)
    ds = _dataset(_ramp())
    ds.add_new("PixelSpacing", "LO", PLANTED)
    picture = read_image(_bytes(ds, uid.ImplicitVRLittleEndian))
    assert picture.spacing_mm is None and any("makes no sense" in warning for warning in picture.warnings)


@pytest.mark.filterwarnings("ignore")  # pydicom's own, while the file is written
def test_no_planted_name_leaves_the_header(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    texts = ("PatientID", "StudyDescription", "SeriesDescription", "ImageComments", "InstitutionName", "OperatorsName",
             "Manufacturer", "StationName", "ViewPosition", "ImageLaterality", "Modality", "PresentationIntentType",
             "PatientOrientation", "VOILUTFunction", "PixelSpacing", "WindowCenter", "WindowWidth", "RescaleSlope",
             "RescaleIntercept", "NumberOfFrames", "StudyDate", "LossyImageCompression", "SOPClassUID")  # fmt: skip
    ds = _dataset(_ramp())
    for keyword in texts:
        ds.add_new(keyword, "LO", PLANTED)
    data = _bytes(ds)
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        picture = read_image(data)
        with pytest.raises(ImageError) as cut:
            read_image(data[:-2000])
    seen = repr(picture) + str(cut.value) + caplog.text + "".join(str(w.message) for w in caught)
    seen += "".join(capfd.readouterr())
    assert "Zitrone" not in seen
    assert "1.2.826" not in repr(picture)
    assert "Zitrone" not in repr(pickle.dumps(picture))


def test_decoder_tracebacks_stay_out_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    ds = _dataset(_ramp(8))
    ds.PixelData = encapsulate([_encoded(_ramp(8), "JPEG")[:-300]])
    with pytest.raises(ImageError, match="damaged or cut short"):
        read_image(_bytes(ds, uid.JPEGLSLossless))
    assert not caplog.records
    logging.getLogger("pydicom").warning("others still log")
    assert caplog.records


# ---------------------------------------------------------------- DICOM: errors


def _report() -> bytes:
    ds = Dataset()
    ds.SOPClassUID = uid.BasicTextSRStorage
    ds.SOPInstanceUID = "1.2.3"
    ds.Modality = "SR"
    return _bytes(ds)


def _bomb(rows: int, columns: int) -> bytes:
    ds = _dataset(_ramp(), Rows=rows, Columns=columns)
    return _bytes(ds)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"Dear reader, this was once a letter.\n" * 9, "not an image"),
        (b"\x08\0 group eight, but a letter" * 9, "not an image|damaged"),
        (_report(), "no pixel data"),
        (_bytes(_dataset(_ramp()))[:-1000], "damaged or cut short"),
        (_bytes(_dataset(_ramp()))[:400], "no pixel data"),
        (_bytes(_dataset(_ramp(), NumberOfFrames="2")), "more than one frame"),
        (_bomb(0, 64), "zero size"),
        (_bomb(40000, 40000), "too many pixels"),
        (_bytes(_dataset(_ramp()[:15, :15])), "too small"),
        (_bytes(_dataset(_ramp(), PhotometricInterpretation="FANCY")), "photometric"),
        (_bytes(_dataset(_ramp(), BitsStored=0)), "damaged"),
        (_bytes(_dataset(_ramp(8), PixelData=encapsulate([b"film"])), uid.MPEG2MPML), "not supported"),
    ],
)
def test_dicom_errors(data: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message) as error:
        read_image(data, name="scan.dcm")
    assert "scan.dcm" in str(error.value) and error.value.todo


def test_stream_of_another_size_is_refused_before_decoding() -> None:
    ds = _dataset(_ramp(8))
    huge = bytearray(_encoded(_ramp(8), "JPEG"))
    start = huge.index(b"\xff\xc0")
    huge[start + 5 : start + 9] = struct.pack(">HH", 60000, 60000)
    ds.PixelData = encapsulate([bytes(huge)])
    with pytest.raises(ImageError, match="another size"):
        read_image(_bytes(ds, uid.JPEGBaseline8Bit))

    ds = _dataset(_ramp(16))
    _compressed(ds, uid.JPEG2000Lossless)
    ds.Rows = 32
    with pytest.raises(ImageError, match="another size"):
        read_image(_bytes(ds, uid.JPEG2000Lossless))


def test_stream_that_crashes_its_decoder_is_an_error(tmp_path: Path) -> None:
    """gdcm aborts the process on a lossless JPEG of 7 bits; ours must live on."""
    data = bytearray(_gdcm(_dataset(_ramp(12), bits=12), uid.JPEGLosslessSV1, tmp_path))
    data[data.index(b"\xff\xc3") + 4] = 7
    with pytest.raises(ImageError, match="damaged or cut short"):
        read_image(bytes(data))


def test_deflated_bomb_is_not_inflated() -> None:
    data = _bytes(_dataset(_ramp()), uid.DeflatedExplicitVRLittleEndian)
    (meta_length,) = struct.unpack_from("<I", data, 140)
    squeeze = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    body = squeeze.compress(b"\x08\0\x05\0CS\x0a\0ISO_IR 100" + bytes(40 * 2**20)) + squeeze.flush()
    with pytest.raises(ImageError, match="inflates to more data"):
        read_image(data[: 144 + meta_length] + body, max_pixels=1_000_000)
    with pytest.raises(ImageError, match="damaged or cut short"):
        read_image(data[:-40])


def test_missing_decoder_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = _gdcm(_dataset(_ramp(8)), uid.JPEGLSLossless, tmp_path)
    monkeypatch.setattr(type(pydicom.pixels.get_decoder(uid.JPEGLSLossless)), "available_plugins", ())
    with pytest.raises(ImageError, match=r"No decoder for JPEG-LS.*requirements"):
        read_image(data)


# ---------------------------------------------------------------- PNG, JPEG, TIFF


def test_png_round_trip_is_exact_and_keeps_the_spacing(tmp_path: Path) -> None:
    values = np.arange(256 * 256, dtype=np.uint16).reshape(256, 256)
    write_png(tmp_path / "a.png", values / np.float32(65535), spacing_mm=0.0435)
    picture = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(np.rint(picture.pixels * 65535), values)
    assert picture.pixels.max() == 1 and picture.format == "PNG 16 bit"
    assert picture.spacing_mm == pytest.approx(0.0435, rel=1e-4)
    assert picture.spacing_source == "PNG pHYs"
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_png_8_bit_and_bad_arguments(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", _ramp(8) / 255, bits=8)
    np.testing.assert_array_equal(np.rint(read_image(tmp_path / "a.png").pixels * 255), _ramp(8))
    black = np.zeros((20, 20))
    for pixels, options in ((black[0], {}), (black * np.nan, {}), (black, {"bits": 12}), (black, {"spacing_mm": 0.0})):
        with pytest.raises(ValueError):
            write_png(tmp_path / "a.png", pixels, **options)
    np.testing.assert_array_equal(np.rint(read_image(tmp_path / "a.png").pixels * 255), _ramp(8))
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("dpi", [72, 96, 100, 150, 200, 300, 600, 1200])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_print_resolutions_are_no_spacing(kind: str, dpi: int) -> None:
    assert read_image(_encoded(_ramp(8), kind, dpi=(dpi, dpi))).spacing_mm is None


@pytest.mark.parametrize(
    ("kind", "source"), [("PNG", "PNG pHYs"), ("JPEG", "JPEG density"), ("TIFF", "TIFF resolution")]
)
def test_resolution_of_a_film_scanner_is_spacing(kind: str, source: str) -> None:
    picture = read_image(_encoded(_ramp(8), kind, dpi=(508, 508)))  # 0.05 mm
    assert picture.spacing_mm == pytest.approx(0.05, rel=1e-4)
    assert picture.spacing_source == source
    assert read_image(_encoded(_ramp(8), kind, dpi=(5, 5))).spacing_mm is None
    assert read_image(_encoded(_ramp(8), kind, dpi=(508, 254))).spacing_mm is None


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.fromarray(_ramp(8)).convert("RGB"), _ramp(8) / 255),
        (Image.fromarray(_ramp(8)).convert("P"), _ramp(8) / 255),
        (Image.fromarray(_ramp(8)).convert("1", dither=Image.Dither.NONE), _ramp(8) > 127),
        (Image.merge("LA", [Image.fromarray(_ramp(8)), Image.new("L", (W, H), 128)]), _ramp(8) / 255 * 128 / 255),
        (Image.merge("RGBA", [Image.new("L", (W, H), 255)] * 3 + [Image.fromarray(_ramp(8))]), _ramp(8) / 255),
        (Image.fromarray(_ramp(16)), _ramp(16) / 65535),
    ],
    ids=["RGB", "P", "1", "LA", "RGBA", "I;16"],
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_modes(image: Image.Image, expected: np.ndarray, kind: str) -> None:
    picture = read_image(_encoded(image, kind))
    np.testing.assert_allclose(picture.pixels, expected, atol=0.006)
    assert not any("colour" in warning for warning in picture.warnings)


def test_transparent_grey_value_is_black() -> None:
    pixels = read_image(_encoded(Image.new("L", (W, H), 200), "PNG", transparency=200)).pixels
    assert pixels.max() == 0


def test_jpeg_colour_cmyk_and_orientation() -> None:
    upright = Image.fromarray(np.stack([_ramp(8), _ramp(8), _ramp(8)[::-1]], axis=-1))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = read_image(_encoded(upright, "JPEG", quality=95, exif=exif))
    assert picture.pixels.shape == (W, H)
    assert any("EXIF" in note for note in picture.notes) and "colour converted to grey" in picture.notes
    assert any("Lossy" in warning for warning in picture.warnings)
    expected = np.asarray(upright.convert("L").transpose(Image.Transpose.ROTATE_270)) / 255
    np.testing.assert_allclose(picture.pixels, expected, atol=0.03)

    cmyk = read_image(_encoded(upright.convert("CMYK"), "JPEG", quality=95))
    np.testing.assert_allclose(cmyk.pixels, np.asarray(upright.convert("L")) / 255, atol=0.06)


def test_16_bit_colour_png_says_that_depth_is_lost() -> None:
    rows = b"".join(b"\0" + row.astype(">u2").repeat(3).tobytes() for row in _ramp(16))
    data = _png_chunks(struct.pack(">IIBBBBB", W, H, 16, 2, 0, 0, 0), zlib.compress(rows))
    picture = read_image(data)
    np.testing.assert_allclose(picture.pixels, _ramp(16) / 65535, atol=0.006)
    assert "16 bit colour reduced to 8 bit" in picture.notes


def test_float_and_white_is_zero_tiff() -> None:
    values = (_ramp(16) * 3.5 - 7).astype(np.float32)
    values[3, 3] = np.inf
    picture = read_image(_encoded(values, "TIFF"))
    np.testing.assert_allclose(np.delete(picture.pixels, 3, 0), np.delete(_ramp(16), 3, 0) / 65535, atol=1e-4)
    assert picture.pixels[3, 3] == 0 and len(picture.notes) == 2

    for bits in (8, 16):
        data = bytearray(_encoded(_ramp(bits), "TIFF"))
        at = data.index(struct.pack("<HHIHH", 262, 3, 1, 1, 0))  # PhotometricInterpretation: black is zero
        data[at + 8] = 0
        picture = read_image(bytes(data))
        np.testing.assert_allclose(picture.pixels, 1 - _ramp(bits) / (2**bits - 1), atol=1e-6)


def test_dark_16_bit_png_keeps_its_values_but_warns() -> None:
    picture = read_image(_encoded((_ramp(16) // 16).astype(np.uint16), "PNG"))
    assert picture.pixels.max() == pytest.approx(4095 / 65535)
    assert any("dark" in warning for warning in picture.warnings)


def test_flat_picture_warns() -> None:
    assert any(
        "same value" in warning for warning in read_image(_encoded(np.zeros((20, 20), np.uint8), "PNG")).warnings
    )


def _png_chunks(header: bytes, body: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


_NOISE = np.random.default_rng(3).integers(0, 256, (H, W), np.uint8)
_FRAMES = [Image.fromarray(_ramp(8)), Image.fromarray(_ramp(8)[::-1])]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (_encoded(_NOISE, "PNG")[:-200], "PNG file is damaged or cut short"),
        (_encoded(_ramp(8), "JPEG")[:-200], "JPEG file is damaged or cut short"),
        (_encoded(_ramp(16), "TIFF")[:-200], "TIFF file is damaged or cut short"),
        (b"\x89PNG\r\n\x1a\n", "PNG file is damaged"),
        (b"\xff\xd8\xff", "JPEG file is damaged"),
        (b"II*\0", "TIFF file is damaged"),
        (_encoded(np.zeros((1, 1), np.uint8), "PNG"), "too small"),
        (_png_chunks(struct.pack(">IIBBBBB", 0, 9, 8, 0, 0, 0, 0), b""), "zero size"),
        (_png_chunks(struct.pack(">IIBBBBB", 40000, 40000, 16, 0, 0, 0, 0), b""), "too many pixels"),
        (_encoded(_FRAMES[0], "TIFF", save_all=True, append_images=_FRAMES[1:]), "more than one frame"),
        (_encoded(_FRAMES[0], "PNG", save_all=True, append_images=_FRAMES[1:]), "more than one frame"),
        (_encoded(_ramp(8), "GIF"), "GIF file is not a supported format.*PNG, JPEG or TIFF"),
        (_encoded(_ramp(8), "BMP"), "BMP file is not a supported format"),
        (_encoded(_ramp(8), "WEBP"), "WebP file is not a supported format"),
        (b"%PDF-1.7 report", "PDF file is not a supported format"),
    ],
)
def test_raster_errors(data: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message) as error:
        read_image(data, name="upload")
    assert "upload" in str(error.value) and error.value.todo


def test_limit_is_ours_and_pillow_keeps_its_own() -> None:
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = 10  # another part of the process may be stricter or laxer than we are
    try:
        for kind in ("PNG", "JPEG"):
            assert read_image(_encoded(_ramp(8), kind), max_pixels=H * W).pixels.shape == (H, W)
            with pytest.raises(ImageError, match="too many pixels"):
                read_image(_encoded(_ramp(8), kind), max_pixels=H * W - 1)
        assert Image.MAX_IMAGE_PIXELS == 10
    finally:
        Image.MAX_IMAGE_PIXELS = before


# ---------------------------------------------------------------- paths


def test_type_is_told_by_content_and_paths_work(tmp_path: Path) -> None:
    for number, data in enumerate((_bytes(_dataset(_ramp(8))), _encoded(_ramp(8), "PNG"), _encoded(_ramp(8), "TIFF"))):
        path = tmp_path / f"{number}.txt"
        path.write_bytes(data)
        for source in (path, str(path), data):
            np.testing.assert_allclose(read_image(source).pixels, _ramp(8) / 255, atol=1e-6)


def test_dicom_with_a_tiff_signature_in_its_preamble() -> None:
    data = _bytes(_dataset(_ramp()))
    assert read_image(b"II*\0" + data[4:]).format.startswith("DICOM")


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


# ---------------------------------------------------------------- the value


def test_picture_is_frozen_and_survives_pickling() -> None:
    picture = _picture(_ramp(), Laterality="L", PixelSpacing=["0.05", "0.05"])
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
    good, bad = _bytes(_dataset(_ramp())), _bytes(_dataset(_ramp()))[:-1000]
    results: list[bool] = []

    def read() -> None:
        for _ in range(10):
            with pytest.raises(ImageError):
                read_image(bad)
            results.append(bool(np.allclose(read_image(good).pixels, _ramp() / 65535)))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 40


# ---------------------------------------------------------------- damaged files


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
    values = (_ramp(16) // 2 + rng.integers(0, 900, (H, W))).astype(np.uint16)
    ds = _dataset(values, WindowCenter="9000", WindowWidth="20000", PixelSpacing=["0.05", "0.05"])
    ds.VOILUTSequence = [_table(0, 16, np.arange(256) * 256)]
    if kind in ("PNG", "JPEG", "TIFF"):
        data = _encoded((values // 256).astype(np.uint8), kind)
    elif kind in ("RLE", "JPEG 2000"):
        data = _compressed(ds, uid.RLELossless if kind == "RLE" else uid.JPEG2000Lossless)
    elif kind == "JPEG-LS":
        data = _gdcm(ds, uid.JPEGLSLossless, tmp_path)
    else:
        data = _bytes(ds, uid.ImplicitVRLittleEndian if kind == "native" else uid.DeflatedExplicitVRLittleEndian)
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


# ---------------------------------------------------------------- real files


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
