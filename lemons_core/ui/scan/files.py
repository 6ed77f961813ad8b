"""What one can take away of an answer; each file is made when its button is pressed, and named without the original."""

import io
import zipfile
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import streamlit as st

from lemons_core.base import config
from lemons_core.ui.scan import analyses as scans
from lemons_core.ui.scan.analyses import Scan
from lemons_core.ui.scan.uploads import Upload
from lemons_core.vision.record.card import ModelCard, read_card

Make = Callable[[Upload, Scan, ModelCard, str], bytes]


def render_files(given: Upload, scan: Scan, number: int) -> None:
    """A button for each kind of file; `number` tells the pictures of this visit apart."""
    card = read_card(config.read_settings().model)
    name = f"scan {number}"
    st.subheader("Take away", anchor=False)
    with st.container(horizontal=True):
        for label, suffix, mime, make in KINDS:
            missing = suffix == "-dicom.zip" and find_spec("highdicom") is None
            st.download_button(
                label,
                data=partial(make, given, scan, card, name),
                file_name=f"scan-{number}{suffix}",
                mime=mime,
                key=f"take{suffix}",
                icon=":material/download:",
                on_click="ignore",
                disabled=missing,
                help="Needs the optional package highdicom." if missing else None,
            )
    st.caption("De-identified: of the file's header only the facts below go along, and its name never does.")


def _pdf(given: Upload, scan: Scan, card: ModelCard, name: str) -> bytes:
    from lemons_core.report import report_pdf
    from lemons_core.report.files import heat_of
    from lemons_core.vision.network.weights import read_model

    answer = scans.answer_of(given, scan)
    return report_pdf(
        answer.picture,
        answer.scan,
        card,
        name=name,
        crop=answer.crop,
        refused=answer.refused,
        heat=heat_of(answer, read_model()),
        warnings=answer.warnings,
    )


def _json(given: Upload, scan: Scan, card: ModelCard, name: str) -> bytes:
    from lemons_core.report import result_json

    answer = scans.answer_of(given, scan)
    return result_json(
        answer.picture,
        answer.scan,
        card,
        name=name,
        crop=answer.crop,
        refused=answer.refused,
        warnings=answer.warnings,
    )


def _csv(given: Upload, scan: Scan, card: ModelCard, name: str) -> bytes:
    from lemons_core.report import regions_csv

    return regions_csv(scan.result, name=name)


def _overlay(given: Upload, scan: Scan, card: ModelCard, name: str) -> bytes:
    from lemons_core.images.display import to_grey8
    from lemons_core.report.pictures import mark
    from lemons_core.ui.shell.viewer import encode

    assert scan.result
    grey = to_grey8(scans.answer_of(given, scan).picture.pixels)
    return encode(mark(grey, scan.result.regions, words=config.NOTICE), lossless=True)


def _dicom(given: Upload, scan: Scan, card: ModelCard, name: str) -> bytes:
    from lemons_core.report.dicom import dicom_files

    assert scan.result
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for file, content in dicom_files(scans.answer_of(given, scan).picture, scan.result, card).items():
            archive.writestr(file, content)
    return data.getvalue()


KINDS: tuple[tuple[str, str, str, Make], ...] = (
    ("Report (PDF)", ".pdf", "application/pdf", _pdf),
    ("Result (JSON)", ".json", "application/json", _json),
    ("Regions (CSV)", ".csv", "text/csv", _csv),
    ("Picture with boxes (PNG)", "-overlay.png", "image/png", _overlay),
    ("DICOM: overlay and CAD SR", "-dicom.zip", "application/zip", _dicom),
)
