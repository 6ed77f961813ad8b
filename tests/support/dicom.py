"""DICOM files and encoded pictures in memory, built for the tests of the readers."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from lemons_core.images import Picture, read_image

H, W = 48, 64
PLANTED = "Zitrone^Emma"


def ramp(bits: int = 16, *, signed: bool = False) -> np.ndarray:
    """A smooth picture (48, 64) over the whole range of `bits`, so that lossy codecs stay close."""
    unit = np.add.outer(np.arange(H) / (H - 1), np.arange(W) / (W - 1)) / 2
    values = np.rint(unit * (2**bits - 1)).astype(np.int64) - (2 ** (bits - 1) if signed else 0)
    return values.astype(f"{'i' if signed else 'u'}{1 if bits <= 8 else 2}")


def dataset(pixels: np.ndarray, *, bits: int | None = None, **elements: object) -> Dataset:
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


def file_bytes(ds: Dataset, syntax: uid.UID = uid.ExplicitVRLittleEndian) -> bytes:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    out = BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def compressed(ds: Dataset, syntax: uid.UID, **options: str) -> bytes:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    ds.compress(syntax, **options)
    return file_bytes(ds, syntax)


def read_picture(pixels: np.ndarray, *, bits: int | None = None, **elements: object) -> Picture:
    return read_image(file_bytes(dataset(pixels, bits=bits, **elements)))


def encoded(picture: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def transcoded(ds: Dataset, syntax: uid.UID, folder: Path) -> bytes:
    """Transcode with gdcm; skips where this build has no such encoder."""
    gdcm = pytest.importorskip("gdcm")
    (folder / "in.dcm").write_bytes(file_bytes(ds))
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


def lookup_table(first: int, depth: int, entries: np.ndarray) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(entries) % 65536, first, depth]
    item["LUTDescriptor"].VR = "US"
    item.LUTData = [int(entry) for entry in entries]
    item["LUTData"].VR = "US"
    return item
