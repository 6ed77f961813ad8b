"""What the visitor has uploaded: pictures and ZIPs of pictures, in memory, for this visit only."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from lemons_core.base import config
from lemons_core.base.errors import LemonsError
from lemons_core.dataset.overview import Sample
from lemons_core.ui.shell import state

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

MOST = 24  # pictures at a time; the command line takes any number


@dataclass(frozen=True)
class Upload:
    """One picture to look at.

    key : tells it from every other one, by content
    name : for its owner to see
    read : gives its bytes; raises ImageError. A member of a ZIP is unpacked each time: nobody holds it meanwhile
    sample : what is known of it when it comes from the data in use
    """

    key: str
    name: str
    read: Callable[[], bytes]
    sample: Sample | None = None


def of_sample(sample: Sample) -> Upload:
    """A picture to try: a file on disk, or a simulated one that is drawn when it is first read."""
    if not sample.file:
        return Upload(sample.case_id, f"{sample.case_id}.dcm", partial(_drawn, sample.case_id), sample)
    file = Path(sample.file)
    return Upload(f"{file}{file.stat().st_mtime_ns}", f"{sample.case_id}.dcm", file.read_bytes, sample)


def _drawn(case_id: str) -> bytes:
    from lemons_core.simulate.samples import draw_sample

    return draw_sample(case_id, config.read_settings().cache / "samples").read_bytes()


def put(name: str, data: bytes) -> None:
    """Put a picture in, as if it had been uploaded."""
    st.session_state[state.SCAN_UPLOADS] = tuple(_pictures(name, data))


def current_uploads() -> tuple[Upload, ...]:
    """What is in use; it outlives the uploader, which forgets when the page changes."""
    return st.session_state.get(state.SCAN_UPLOADS, ())


def faults() -> list[LemonsError]:
    """What was wrong with whole uploads; of a single picture it shows when the picture is read."""
    return st.session_state.get(state.SCAN_UPLOAD_FAULTS, [])


def upload_box() -> None:
    """The uploader, which replaces what was there before."""
    key = f"upload-{st.session_state.get(state.SCAN_UPLOAD_ROUND, 0)}"
    st.file_uploader(
        "Upload DICOM, PNG, JPEG, TIFF, or a ZIP of these",
        key=key,
        accept_multiple_files=True,
        help="Whole views or crops; the type is told by the content. Files stay in memory for this visit and are "
        "written nowhere.",
        on_change=_take,
        args=(key,),
    )


def _take(key: str) -> None:
    """Before the page runs again; an uploader that was emptied leaves what is in use."""
    files: list[UploadedFile] = st.session_state[key]
    if not files:
        return
    taken: list[Upload] = []
    wrong: list[LemonsError] = []
    for file in files:
        try:
            taken += _pictures(file.name, file.getvalue())
        except LemonsError as error:
            wrong.append(error)
    unique = list({one.key: one for one in taken}.values())
    if len(unique) > MOST:
        todo = "Give the others later, or use `python -m lemons_core predict FOLDER`."
        wrong.append(LemonsError(f"Only the first {MOST} of {len(unique)} pictures are taken", todo=todo))
    before = {one.key for one in current_uploads()}
    st.session_state[state.SCAN_UPLOADS], st.session_state[state.SCAN_UPLOAD_FAULTS] = tuple(unique[:MOST]), wrong
    st.session_state[state.SCAN_CHOSEN] = next((one.key for one in current_uploads() if one.key not in before), None)


def _pictures(name: str, data: bytes) -> list[Upload]:
    """One picture, or those in a ZIP. Raises ImageError when a ZIP cannot be opened."""
    from lemons_core.images.archive import is_archive, list_members, read_member

    digest = sha256(data).hexdigest()
    if not is_archive(data):
        return [Upload(digest, name, lambda: data)]
    members = list_members(data, name=name)
    return [Upload(f"{digest}/{one.index}", one.name, partial(read_member, data, one, name=name)) for one in members]


def forget() -> None:
    """Let go of everything that was uploaded, and empty the uploader."""
    for key in (state.SCAN_UPLOADS, state.SCAN_UPLOAD_FAULTS, state.SCAN_CHOSEN):
        st.session_state.pop(key, None)
    st.session_state[state.SCAN_UPLOAD_ROUND] = st.session_state.get(state.SCAN_UPLOAD_ROUND, 0) + 1
