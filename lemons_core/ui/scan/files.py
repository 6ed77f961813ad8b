"""Files of an analysis to download; each is made when its button is pressed, and named without the original."""

import io
import zipfile
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import streamlit as st

from lemons_core.base import config
from lemons_core.ui.scan import analyses
from lemons_core.ui.scan.analyses import Scan
from lemons_core.vision.record.card import ModelCard, read_card

Make = Callable[[Scan, ModelCard, str], bytes]


def render_files(scan: Scan, number: int) -> None:
    """A button for each kind of file; `number` tells the pictures of this visit apart."""
    card = read_card(config.read_settings().model)
    st.subheader("Take away", anchor=False)
    with st.container(horizontal=True):
        for label, suffix, mime, make in KINDS:
            missing = suffix == "-dicom.zip" and find_spec("highdicom") is None
            st.download_button(
                label,
                data=partial(make, scan, card, f"scan {number}"),
                file_name=f"scan-{number}{suffix}",
                mime=mime,
                key=f"take{suffix}",
                icon=":material/download:",
                on_click="ignore",
                disabled=missing,
                help="Needs the optional package highdicom." if missing else None,
            )
    st.caption("De-identified: of the file's header only the facts below go along, and its name never does.")


def _pdf(scan: Scan, card: ModelCard, name: str) -> bytes:
    from lemons_core.report import report_pdf
    from lemons_core.report.files import heat_of
    from lemons_core.vision.network.weights import read_model

    pixels = analyses.read_picture(scan.upload).pixels
    return report_pdf(scan.analysis, pixels, card, name=name, heat=heat_of(scan.analysis, pixels, read_model()))


def _json(scan: Scan, card: ModelCard, name: str) -> bytes:
    from lemons_core.report import result_json

    return result_json(scan.analysis, card, name=name)


def _csv(scan: Scan, card: ModelCard, name: str) -> bytes:
    from lemons_core.report import regions_csv

    return regions_csv(scan.analysis, card, name=name)


def _boxes(scan: Scan, card: ModelCard, name: str) -> bytes:
    from lemons_core.report.files import boxes_png

    return boxes_png(scan.analysis, analyses.read_picture(scan.upload).pixels)


def _dicom(scan: Scan, card: ModelCard, name: str) -> bytes:
    from lemons_core.report.dicom import dicom_files

    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for file, content in dicom_files(scan.analysis, analyses.read_picture(scan.upload).pixels, card).items():
            archive.writestr(file, content)
    return data.getvalue()


KINDS: tuple[tuple[str, str, str, Make], ...] = (
    ("Report (PDF)", ".pdf", "application/pdf", _pdf),
    ("Result (JSON)", ".json", "application/json", _json),
    ("Regions (CSV)", ".csv", "text/csv", _csv),
    ("Picture with boxes (PNG)", "-overlay.png", "image/png", _boxes),
    ("DICOM: overlay and CAD SR", "-dicom.zip", "application/zip", _dicom),
)
