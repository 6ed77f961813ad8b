"""The DICOM grey pipeline: rescaling, lookup tables, windows, inversion, padding, and grey from colour."""

import numpy as np
import pytest
from pydicom import uid
from pydicom.pixels import apply_windowing
from support.dicom import H, W, dataset, file_bytes, lookup_table, ramp, read_picture

from lemons_core.base.errors import ImageError
from lemons_core.images import read_image


def test_stored_range_of_signed_values() -> None:
    picture = read_picture(ramp(12, signed=True), bits=12)
    np.testing.assert_allclose(picture.pixels, ramp(12) / 4095, atol=1e-7)


def test_rescale_without_window_keeps_the_order() -> None:
    values = ramp(12)
    assert np.allclose(read_picture(values, bits=12, RescaleSlope="2", RescaleIntercept="-1000").pixels, values / 4095)
    flipped = read_picture(values, bits=12, RescaleSlope="-1", RescaleIntercept="4095")
    np.testing.assert_allclose(flipped.pixels, 1 - values / 4095, atol=1e-6)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("rescale", [{}, {"RescaleSlope": "2", "RescaleIntercept": "-100"}], ids=["plain", "rescaled"])
@pytest.mark.parametrize("signed", [False, True])
def test_windows_agree_with_pydicom(function: str, rescale: dict[str, str], signed: bool) -> None:
    values = ramp(12, signed=signed)
    window = {"WindowCenter": ["700", "5"], "WindowWidth": ["1500", "7"], "VOILUTFunction": function}
    ds = dataset(values, bits=12, **rescale, **window)
    slope, intercept = float(rescale.get("RescaleSlope", 1)), float(rescale.get("RescaleIntercept", 0))
    low, high = (-2048 if signed else 0) * slope + intercept, (2047 if signed else 4095) * slope + intercept
    expected = (apply_windowing(values * slope + intercept, ds) - low) / (high - low)
    picture = read_image(file_bytes(ds))
    np.testing.assert_allclose(picture.pixels, expected, atol=1e-5)
    assert "window 700/1500 applied" in picture.notes


@pytest.mark.parametrize(
    ("centre", "width"), [("700", "0"), ("700", "-5"), ("nan", "100"), ("abc", "100"), ("", "100")]
)
def test_senseless_window_is_left_out(centre: str, width: str) -> None:
    ds = dataset(ramp(12), bits=12)
    for keyword, value in (("WindowCenter", centre), ("WindowWidth", width)):
        ds.add_new(keyword, "LO", value)  # not DS: pydicom would refuse to write these
    picture = read_image(file_bytes(ds, uid.ImplicitVRLittleEndian))
    np.testing.assert_allclose(picture.pixels, ramp(12) / 4095, atol=1e-7)
    assert any("window" in warning for warning in picture.warnings)


@pytest.mark.parametrize("depth", [8, 12, 16])
@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian])
@pytest.mark.parametrize("sequence", ["VOILUTSequence", "ModalityLUTSequence"])
def test_lookup_tables(sequence: str, syntax: uid.UID, depth: int) -> None:
    """4096 entries of 8 bits too, where pydicom's own function wraps around at index 256."""
    curve = np.rint((np.arange(4096) / 4095) ** 2 * (2**depth - 1))
    ds = dataset(
        ramp(12), bits=12, **{sequence: [lookup_table(0, depth, curve)], "WindowCenter": "2", "WindowWidth": "3"}
    )
    if sequence == "ModalityLUTSequence":
        del ds.WindowCenter, ds.WindowWidth
    picture = read_image(file_bytes(ds, syntax))
    np.testing.assert_allclose(picture.pixels, curve[ramp(12)] / (2**depth - 1), atol=1e-6)
    assert any("lookup table applied" in note for note in picture.notes)


def test_lookup_table_starting_above_zero_clamps_at_its_ends() -> None:
    table = lookup_table(1000, 16, np.linspace(100, 60000, 1000))
    pixels = read_picture(ramp(12), bits=12, VOILUTSequence=[table]).pixels * 65535
    assert pixels.min() == pytest.approx(100, abs=0.1)
    assert pixels.max() == pytest.approx(60000, abs=0.1)
    assert pixels[ramp(12) < 1000].max() == pytest.approx(100, abs=0.1)


def test_lookup_table_cut_short_is_an_error() -> None:
    table = lookup_table(0, 12, np.arange(4096))
    table.LUTData = [1, 2, 3]
    with pytest.raises(ImageError, match="damaged"):
        read_picture(ramp(12), bits=12, VOILUTSequence=[table])


def test_monochrome1_is_inverted_after_the_window() -> None:
    values = ramp(12)
    window = {"WindowCenter": "1000", "WindowWidth": "2000"}
    plain = read_picture(values, bits=12, **window)
    inverted = read_picture(values, bits=12, PhotometricInterpretation="MONOCHROME1", **window)
    np.testing.assert_allclose(inverted.pixels, 1 - plain.pixels, atol=1e-6)
    assert inverted.notes == ("window 1000/2000 applied", "inverted: MONOCHROME1")


def test_few_grey_levels_are_spread_and_noted() -> None:
    values = (ramp(16) // 16 + 5000).astype(np.uint16)
    picture = read_picture(values)
    assert (picture.pixels.min(), picture.pixels.max()) == (0, 1)
    assert any("few grey levels" in note for note in picture.notes)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("limit", [None, 65535])
def test_padding_is_black_and_does_not_set_the_range(photometric: str, limit: int | None) -> None:
    values = (ramp(16) // 16 + 5000).astype(np.uint16)
    clean = read_picture(values, PhotometricInterpretation=photometric).pixels
    padded = values.copy()
    padded[:, :10] = 65000
    elements = {"PixelPaddingValue": 65000} | ({} if limit is None else {"PixelPaddingRangeLimit": limit})
    picture = read_picture(padded, PhotometricInterpretation=photometric, **elements)
    assert (picture.pixels[:, :10] == 0).all()
    np.testing.assert_allclose(picture.pixels[-1, 10:], clean[-1, 10:], atol=0.12)  # the range of what is left
    assert picture.pixels[:, 10:].max() == 1
    assert "padding set to black" in picture.notes


def test_signed_padding_written_as_unsigned() -> None:
    values = ramp(16, signed=True)
    values[:, :10] = -32768
    ds = dataset(values)
    ds.add_new("PixelPaddingValue", "US", 32768)
    assert (read_image(file_bytes(ds)).pixels[:, :10] == 0).all()


@pytest.mark.parametrize("signed", [False, True])
def test_overlay_in_unused_bits_is_cleared(signed: bool) -> None:
    values = ramp(12, signed=signed)
    overlay = (values.view(np.uint16) & 0x0FFF) | (np.indices((H, W)).sum(axis=0) % 2 * 0x4000).astype(np.uint16)
    picture = read_picture(overlay.view(values.dtype), bits=12)
    np.testing.assert_array_equal(picture.pixels, read_picture(values, bits=12).pixels)


def test_palette_and_colour_dicom_become_grey() -> None:
    index = ramp(8)
    ds = dataset(index, PhotometricInterpretation="PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(ds, f"{colour}PaletteColorLookupTableData", (np.arange(256, dtype="<u2") * 257).tobytes())
    picture = read_image(file_bytes(ds))
    np.testing.assert_allclose(picture.pixels, index / 255, atol=1e-6)
    assert picture.notes == ("grey picture stored as colour, converted to grey",)

    rgb = np.stack([index, index[::-1], index[:, ::-1]], axis=-1)
    picture = read_picture(rgb)
    np.testing.assert_allclose(picture.pixels, rgb @ [0.299, 0.587, 0.114] / 255, atol=1e-6)
    assert "colour converted to grey" in picture.notes
    assert any("colour" in warning for warning in picture.warnings)


def test_wide_and_float_pixels() -> None:
    wide = ramp(16).astype(np.uint32) * 65537
    np.testing.assert_allclose(read_picture(wide).pixels, ramp(16) / 65535, atol=1e-6)

    ds = dataset(ramp(8))
    del ds.PixelData, ds.BitsStored, ds.HighBit, ds.PixelRepresentation
    values = ramp(16).astype(np.float32)
    values[0, 0] = np.nan
    ds.BitsAllocated, ds.FloatPixelData = 32, values.tobytes()
    picture = read_image(file_bytes(ds))
    np.testing.assert_allclose(picture.pixels[1:], ramp(16)[1:] / 65535, atol=0.02)
    assert picture.pixels[0, 0] == 0 and "values that are not numbers set to black" in picture.notes
