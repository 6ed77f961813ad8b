"""Files of an analysis to download; each is made when its button is pressed, and named without the original."""

import io
import zipfile
from functools import partial
from importlib.util import find_spec

import streamlit as st

from lemons_core.base import config
from lemons_core.ui.scan import analyses
from lemons_core.ui.scan.analyses import Scan
from lemons_core.vision.record.card import ModelCard, read_card

KINDS = (
    ("Report (PDF)", ".pdf", "application/pdf"),
    ("Result (JSON)", ".json", "application/json"),
    ("Regions (CSV)", ".csv", "text/csv"),
    ("Picture with boxes (PNG)", "-overlay.png", "image/png"),
    ("DICOM: overlay and CAD SR", "-dicom.zip", "application/zip"),
)


def render_files(scan: Scan, number: int) -> None:
    """A button for each kind of file; `number` tells the pictures of this visit apart."""
    card = read_card(config.read_settings().model)
    st.subheader("Take away", anchor=False)
    with st.container(horizontal=True):
        for label, suffix, mime in KINDS:
            missing = suffix == "-dicom.zip" and find_spec("highdicom") is None
            st.download_button(
                label,
                data=partial(make, suffix, scan, card, f"scan {number}"),
                file_name=f"scan-{number}{suffix}",
                mime=mime,
                key=f"take{suffix}",
                icon=":material/download:",
                on_click="ignore",
                disabled=missing,
                help="Needs the optional package highdicom." if missing else None,
            )
    st.caption("De-identified: of the file's header only the facts below go along, and its name never does.")


def make(suffix: str, scan: Scan, card: ModelCard, name: str) -> bytes:
    """One of KINDS; what only some of them need is read and loaded when they are asked for."""
    from lemons_core.report import regions_csv, report_pdf, result_json
    from lemons_core.report.dicom import dicom_files
    from lemons_core.report.files import boxes_png, heat_of
    from lemons_core.vision.network.weights import read_model

    analysis = scan.analysis
    if suffix == ".json":
        return result_json(analysis, card, name=name)
    if suffix == ".csv":
        return regions_csv(analysis, card, name=name)
    pixels = analyses.read_picture(scan.upload).pixels
    if suffix == ".pdf":
        return report_pdf(analysis, pixels, card, name=name, heat=heat_of(analysis, pixels, read_model()))
    if suffix == "-overlay.png":
        return boxes_png(analysis, pixels)
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for file, content in dicom_files(analysis, pixels, card).items():
            archive.writestr(file, content)
    return data.getvalue()
