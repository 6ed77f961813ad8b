"""Pieces of a page: headings, errors, charts, the data badge."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from lemons_core.base import config
from lemons_core.base.colours import GROUP_COLOURS, PATHOLOGY_COLOURS
from lemons_core.base.config import DataChoice, Origin
from lemons_core.base.errors import LemonsError
from lemons_core.base.io import file_error
from lemons_core.base.terms import display
from lemons_core.dataset.overview import Overview
from lemons_core.ui.shell import source, state
from lemons_core.vision.record.card import ModelCard

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import plotly.graph_objects as go

ASSETS = Path(__file__).parents[3] / "assets"
COLLECTION_PAGE = "https://www.cancerimagingarchive.net/collection/cbis-ddsm/"
CHOICES = {
    Origin.PUBLISHED: "CBIS-DDSM case table",
    Origin.DEMO: "Simulated demo",
    Origin.FOLDER: "Your folder",
}
BADGES = {
    Origin.PUBLISHED: ("verified", "green"), Origin.DEMO: ("science", "yellow"), Origin.FOLDER: ("folder", "blue"),
}  # fmt: skip
CHARITY_PAGE = "https://www.knowyourlemons.org"


_MARKDOWN = re.compile(r"[\\`*_\[\]()<>#|$~:@]|(?<=www)\.|^[-+=]|(?<=^\d)\.", re.IGNORECASE)


def plain(text: object) -> str:
    """Text from a file or a user, safe in markdown: shown as it is, never as a link, formula, list or picture."""
    return _MARKDOWN.sub(lambda found: f"\\{found[0]}", " ".join(str(text).split()))


def show_error(error: LemonsError) -> None:
    """What failed, where, and what to do: three lines, no traceback."""
    lines = [f"**{plain(error.what)}.**"]
    if error.where:
        lines.append(f"Where: {plain(error.where)}")
    if error.todo:
        lines.append(plain(error.todo))
    st.error("  \n".join(lines), icon=":material/error:")


@contextmanager
def guard() -> Iterator[None]:
    """Show an expected failure where it happens and let the rest of the page go on."""
    try:
        yield
    except LemonsError as error:
        show_error(error)
    except MemoryError:
        show_error(LemonsError("There is not enough memory for this", todo="Close other programs or use a crop."))
    except OSError as error:
        show_error(file_error(error))


def page_title(title: str, sentence: str, *, predicts: bool = False) -> None:
    """Heading, the one sentence that says what the page is for, the data in use, and the notice where it predicts."""
    st.title(title, anchor=False)
    notice = f" :yellow-badge[:material/science: {config.NOTICE}]" if predicts else ""
    st.markdown(f"{sentence} {data_badge()}{notice}")


def data_badge() -> str:
    """Markdown: the data in use in a word or two."""
    origin = source.data_in_use().origin
    icon, colour = BADGES[origin]
    return f":{colour}-badge[:material/{icon}: {CHOICES[origin]}]"


def one_of(label: str, options: Iterable[str], *, key: str, **about: Any) -> str:
    """Buttons of which one is always pressed: the first, unless `default` names another."""
    shown = list(options)
    chosen: str = st.segmented_control(
        label, shown, key=key, required=True, wrap=True, **{"default": shown[0], **about}
    )
    return chosen


def group_heading(group: str) -> str:
    """HTML: the name of a group behind a dot of its colour."""
    dot = f'<i style="background:{GROUP_COLOURS[group]}"></i>'
    return f'<div class="group-name" role="heading" aria-level="3">{dot}{group.capitalize()}</div>'


def choose_data() -> None:
    """The chooser of the data in use, for the sidebar."""
    options = list(source.choices())
    st.session_state[state.SHELL_DATA_BOX] = str(source.data_in_use().origin)
    st.selectbox(
        "Data in use",
        options,
        key=state.SHELL_DATA_BOX,
        format_func=lambda name: CHOICES[Origin(name)],
        on_change=lambda: source.use_data(st.session_state[state.SHELL_DATA_BOX]),
    )


def data_facts() -> None:
    """What is in the data in use, for the sidebar; a failure is told by the page itself."""
    try:
        seen = source.overview()
    except LemonsError as error:
        st.badge("No data", icon=":material/error:", color="red")
        st.caption(f"{plain(error.what)}. Choose other data above.")
        return
    crops = f"{seen.images['crop']:,} with a crop on disk" if seen.images["crop"] else "no images on disk"
    st.caption(f"{seen.rows:,} abnormalities of {seen.patients:,} patients, {crops}.")


def data_words(seen: Overview) -> str:
    """The data set in a few words, for the line under a figure."""
    return plain(DataChoice(seen.origin, Path(seen.root)).words)


PATHOLOGY_KEY = (
    '<div class="key">'
    + "".join(
        f'<span><i class="{name.lower()}" style="background-color:{colour}"></i>{display(name)}</span>'
        for name, colour in PATHOLOGY_COLOURS.items()
    )
    + "</div>"
)


def chart(figure: "go.Figure", key: str, alt: str) -> None:
    """A figure in the page's theme, without the tool bar."""
    from lemons_core.charts.base import with_ink

    figure = with_ink(figure, dark=st.context.theme.type == "dark")
    st.plotly_chart(figure, key=key, alt=alt, config={"displayModeBar": False})


def alt_counts(counts: "pd.DataFrame") -> str:
    """The counts of a stacked bar chart as a sentence, for those who cannot see it."""
    rows = ", ".join(f"{row.value} {display(row.pathology)} {row.n}" for row in counts.itertuples() if row.n)
    return f"Rows by value and pathology: {rows}."


def alt_shares(shares: "pd.DataFrame") -> str:
    """The same for malignant shares."""
    return "Malignant share: " + ", ".join(f"{r.value} {r.share:.0%} of {r.n}" for r in shares.itertuples()) + "."


def group_picture(seen: Overview, group: str) -> tuple["np.ndarray | str", str]:
    """A picture of the group, and what it is: a real crop where one is on disk, else the product's own drawing."""
    sample = source.example(seen, group)
    if sample:
        return source.thumbnail(sample.file), f"{display(sample.morphology)}, {sample.case_id}"
    return str(ASSETS / "groups" / f"{group}.jpg"), "simulated, 15 x 10 mm"


def case_links(rows: "pd.DataFrame", tail: str = "") -> "pd.Series":
    """Addresses of the rows in the case viewer, each with its word: a case without a crop can be got there."""
    word = rows["crop_file"].notna().map({True: "Look", False: "Get this case"})
    return "case?case=" + rows["case_id"] + tail + source.link_tail() + "#" + word


def case_column() -> Any:
    """How a table shows the addresses of `case_links`."""
    return st.column_config.LinkColumn("case", display_text=r"#(.*)$", pinned=True)


def render_missing_images(seen: Overview) -> None:
    """The designed state of data whose pictures are not, or not all, on disk; the demo needs no more."""
    found = max(seen.images["crop"], seen.images["view"])
    if seen.simulated or found == seen.rows:
        return
    if seen.origin == Origin.FOLDER:
        tell = st.warning if found < seen.rows / 2 else st.info
        tell(
            f"**{found:,} of {seen.rows:,} abnormalities have images on disk.** The tables work without them.",
            icon=":material/image_not_supported:",
        )
    with st.expander("How to get the images", expanded=seen.origin == Origin.FOLDER and found == 0):
        st.markdown(
            "**One case at a time**: open it in the case viewer and click *Get this case*. For the whole collection "
            "put the files anywhere below a folder and start the app with `LEMONS_DATA` set to it; DICOM files are "
            "found by their series number.\n"
            "- **TCIA**: the NBIA Data Retriever with the collection's manifest, 163.6 GB.\n"
            "- **Imaging Data Commons**: `python -m lemons_core fetch crops --out DIR`, 30 GiB, and `views`, 46 GiB.\n"
            "- **Kaggle mirror**: JPEG copies, 6 GB; lossy, and named by series.\n\n"
            f"More in `docs/data.md` and on [the collection's page]({COLLECTION_PAGE})."
        )


def render_model(card: ModelCard) -> None:
    """What a model is, on what it was trained and measured, and where it ends; from its card."""
    st.markdown(
        f"**{plain(card.name)}** ({plain(card.architecture)}), trained on **{plain(card.trained_on)}**. It gives a "
        "probability for any calcification and for each group, with a heat map. It does not tell benign from "
        "malignant, and it is not a diagnosis."
    )
    for name, figures in card.metrics.items():
        rows = {label: row["auc"] for label, row in figures.get("labels", {}).items() if row["auc"]}
        scores = ", ".join(f"{label} {auc:.2f} ({low:.2f}-{high:.2f})" for label, (auc, low, high) in rows.items())
        if scores:
            where = f"{plain(name.replace('_', ' ')).capitalize()}, n = {figures['n']:,}, {plain(card.trained_on)}"
            st.caption(f"{where}. Area under the ROC curve, 95% interval: {scores}.")
    if card.limits:
        with st.expander("Where it ends"):
            st.markdown("\n".join(f"- {plain(limit)}" for limit in card.limits))
    st.caption(f"Weights: SHA-256 `{card.sha256[:12]}`")
