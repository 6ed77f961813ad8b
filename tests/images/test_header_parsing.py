"""A DICOM file with or without preamble is parsed; one that holds no single picture is refused."""

import struct
import zlib

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from support.dicom import dataset, file_bytes, ramp

from lemons_core.base.errors import ImageError
from lemons_core.images import read_image


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian])
@pytest.mark.parametrize("keep_meta", [True, False], ids=["meta", "bare"])
def test_dicom_without_preamble(syntax: uid.UID, keep_meta: bool) -> None:
    values = ramp()
    ds = dataset(values)
    if syntax == uid.ExplicitVRBigEndian:
        ds.PixelData = values.byteswap().tobytes()
    data = file_bytes(ds, syntax)
    (meta_length,) = struct.unpack_from("<I", data, 140)
    picture = read_image(data[132:] if keep_meta else data[144 + meta_length :])
    np.testing.assert_allclose(picture.pixels, values / 65535, atol=1e-7)
    assert "DICOM without preamble" in picture.notes


def test_dicom_with_a_tiff_signature_in_its_preamble() -> None:
    data = file_bytes(dataset(ramp()))
    assert read_image(b"II*\0" + data[4:]).format.startswith("DICOM")


def _report() -> bytes:
    ds = Dataset()
    ds.SOPClassUID = uid.BasicTextSRStorage
    ds.SOPInstanceUID = "1.2.3"
    ds.Modality = "SR"
    return file_bytes(ds)


def _bomb(rows: int, columns: int) -> bytes:
    ds = dataset(ramp(), Rows=rows, Columns=columns)
    return file_bytes(ds)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"Dear reader, this was once a letter.\n" * 9, "not an image"),
        (b"\x08\0 group eight, but a letter" * 9, "not an image|damaged"),
        (_report(), "no pixel data"),
        (file_bytes(dataset(ramp()))[:-1000], "damaged or cut short"),
        (file_bytes(dataset(ramp()))[:400], "no pixel data"),
        (file_bytes(dataset(ramp(), NumberOfFrames="2")), "more than one frame"),
        (_bomb(0, 64), "zero size"),
        (_bomb(40000, 40000), "too many pixels"),
        (file_bytes(dataset(ramp()[:15, :15])), "too small"),
        (file_bytes(dataset(ramp(), PhotometricInterpretation="FANCY")), "photometric"),
        (file_bytes(dataset(ramp(), BitsStored=0)), "damaged"),
        (file_bytes(dataset(ramp(8), PixelData=encapsulate([b"film"])), uid.MPEG2MPML), "not supported"),
    ],
)
def test_dicom_errors(data: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message) as error:
        read_image(data, name="scan.dcm")
    assert "scan.dcm" in str(error.value) and error.value.todo


def test_deflated_bomb_is_not_inflated() -> None:
    data = file_bytes(dataset(ramp()), uid.DeflatedExplicitVRLittleEndian)
    (meta_length,) = struct.unpack_from("<I", data, 140)
    squeeze = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    body = squeeze.compress(b"\x08\0\x05\0CS\x0a\0ISO_IR 100" + bytes(40 * 2**20)) + squeeze.flush()
    with pytest.raises(ImageError, match="inflates to more data"):
        read_image(data[: 144 + meta_length] + body, max_pixels=1_000_000)
    with pytest.raises(ImageError, match="damaged or cut short"):
        read_image(data[:-40])
