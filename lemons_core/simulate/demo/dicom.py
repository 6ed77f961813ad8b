"""Simulated pictures as DICOM files that look like those of the collection."""

import hashlib
import zlib
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, SecondaryCaptureImageStorage

SPACING_MM = 0.1
DEFLATE_LEVEL = 3


def make_uid(*parts: object) -> UID:
    """A UID below the 2.25 root that depends only on `parts`."""
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return UID(f"2.25.{int.from_bytes(digest[:16], 'big')}")


def dicom_bytes(pixels: np.ndarray, **elements: Any) -> bytes:
    """One picture as the bytes of a DICOM file.

    pixels : (H, W) uint16 for a picture, uint8 for a mask
    elements : what differs from picture to picture, by DICOM's keyword: UIDs, InstanceNumber, SeriesDescription,
        Laterality; as in the collection PatientID is the name of the case folder and PatientOrientation the view
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = elements["SOPInstanceUID"]
    # Deflated keeps black background and masks small, and every reader of DICOM can open it without a codec.
    meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    meta.ImplementationClassUID = make_uid("know-your-lemons")
    meta.ImplementationVersionName = "LEMONS_SIM"
    ds = Dataset()
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID = SecondaryCaptureImageStorage
    ds.StudyDate = ds.ContentDate = ""
    ds.StudyTime = ds.ContentTime = ""
    ds.AccessionNumber = ""
    ds.Modality = "MG"
    ds.ConversionType = "WSD"
    ds.ReferringPhysicianName = ""
    ds.PatientName = "Simulated^Demo"
    ds.PatientBirthDate = ds.PatientSex = ""
    ds.BodyPartExamined = "BREAST"
    ds.SecondaryCaptureDeviceManufacturer = "Know Your Lemons (simulated)"
    # The collection's files carry no spacing; ours do, so that the simulated millimetres are not lost.
    ds.ImagerPixelSpacing = [SPACING_MM, SPACING_MM]
    ds.StudyID = "SIMULATED"
    ds.SeriesNumber = "1"
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape
    bits = pixels.dtype.itemsize * 8
    ds.BitsAllocated = ds.BitsStored = bits
    ds.HighBit = bits - 1
    ds.PixelRepresentation = 0
    ds.SmallestImagePixelValue, ds.LargestImagePixelValue = int(pixels.min()), int(pixels.max())
    data = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OB" if bits == 8 else "OW"
    file = DicomBytesIO()
    file.write(b"\0" * 128 + b"DICM")
    write_file_meta_info(file, meta)
    body = DicomBytesIO()
    body.is_implicit_VR, body.is_little_endian = False, True
    write_dataset(body, ds)
    # pydicom's own writer deflates at zlib's usual level: three times the time for a twentieth less on disk.
    squeeze = zlib.compressobj(DEFLATE_LEVEL, wbits=-zlib.MAX_WBITS)
    packed = squeeze.compress(body.getvalue()) + squeeze.flush()
    return bytes(file.getvalue() + packed + b"\0" * (len(packed) % 2))
