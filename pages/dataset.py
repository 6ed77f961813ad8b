"""Data set: what the case table holds, how its types relate to pathology, and what is wrong with it."""

from urllib.parse import urlencode

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from lemons_core.base.colours import NEUTRAL
from lemons_core.charts.base import bars_figure, counts_figure, share_figure, with_ink
from lemons_core.charts.labels import overlap_figure
from lemons_core.dataset import explore
from lemons_core.dataset.overview import Overview
from lemons_core.dataset.quality import FaultKind
from lemons_core.metrics.binary import wilson
from lemons_core.ui.shell import parts, source, state
from lemons_core.ui.shell.navigation import enter

SHOWN = [
    "case_id", "split", "calc_groups", "morphology", "distribution", "pathology", "assessment", "breast_density",
    "subtlety", "laterality", "view", "patient_id", "source_file", "source_row",
]  # fmt: skip
NEEDED = [*SHOWN, "lesion_id", "morphology_tokens", "distribution_tokens", "view_file", "crop_file"]
FIRST = ("split", "group", "pathology")  # filters that always stand on the page
SEVERAL = [name for name, attribute in explore.ATTRIBUTES.items() if attribute.several]
SHARE_KEY = '<div class="key"><span>Dot: share of rows. Bar: 95% interval.</span></div>'
ENRICHED = "Case-enriched: these are not screening PPVs."
LAZY = 5_000  # rows above which the browser fetches a table piece by piece


def choose(name: str) -> list[str]:
    attribute = explore.FILTERS[name]
    # No prettier words than `options`: what stands on a button also stands in the address.
    if len(attribute.options) > 7:
        return st.multiselect(attribute.name, attribute.options, key=name, bind="query-params")
    return st.pills(attribute.name, attribute.options, selection_mode="multi", key=name, bind="query-params", wrap=True)


def choose_filters(table: pd.DataFrame) -> tuple[dict[str, list[str]], pd.DataFrame]:
    """The filters in use (name to shown texts), and the rows that they leave."""
    with st.container(horizontal=True, gap="medium"):
        chosen = {name: choose(name) for name in FIRST}
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.popover("More filters", icon=":material/tune:"):
            chosen |= {name: choose(name) for name in explore.FILTERS if name not in FIRST}
        filters = {name: list(texts) for name, texts in chosen.items() if texts}
        rows = explore.filter_rows(table, filters)
        if filters:
            words = parts.plain(explore.filter_words(filters))
            st.markdown(f"**{len(rows):,} of {len(table):,} rows**: {words}.", width="content")
            st.button("Clear all", icon=":material/filter_alt_off:", type="tertiary", on_click=clear_filters)
            if len(rows):
                to = subset(filters)
                st.page_link("pages/case.py", label="Look at them", icon=":material/radiology:", query_params=to)
        else:
            st.caption(f"All {len(table):,} rows. Choose here, or click a bar below.")
    return filters, rows


def subset(filters: dict[str, list[str]]) -> dict[str, list[str]]:
    """The filters in the address of the case viewer; a name of this page's widgets would go with the page."""
    return {f"in_{name}": texts for name, texts in filters.items()}


def clear_filters() -> None:
    for name in explore.FILTERS:
        st.session_state[name] = []


def linked(figure: go.Figure, name: str, key: str, alt: str) -> None:
    """A chart whose bars filter by what they stand for; a second click takes the filter away."""
    # With a new key the chart forgets what was selected in it: the filters alone hold what is chosen.
    key = f"{key}-{name}-{st.session_state.get(state.DATASET_CLICKS, 0)}"

    def take() -> None:
        points = st.session_state[key]["selection"]["points"]
        if points:
            text = points[0]["y"]
            st.session_state[name] = [] if st.session_state.get(name) == [text] else [text]
            st.session_state[state.DATASET_CLICKS] = st.session_state.get(state.DATASET_CLICKS, 0) + 1

    figure = with_ink(figure, dark=st.context.theme.type == "dark")
    config = {"displayModeBar": False}
    st.plotly_chart(figure, key=key, alt=alt, on_select=take, selection_mode="points", config=config)


def render_figures(rows: pd.DataFrame) -> None:
    malignant = int((rows["pathology"] == "MALIGNANT").sum())
    figures = {
        "Abnormalities": f"{len(rows):,}",
        "Lesions": f"{rows['lesion_id'].nunique():,}",
        "Patients": f"{rows['patient_id'].nunique():,}",
        "Malignant": f"{malignant / len(rows):.1%}",
    }
    columns = st.container(key="figures").columns(4)
    for column, (name, value) in zip(columns, figures.items(), strict=True):
        column.metric(name, value, border=True)
    low, high = wilson(malignant, len(rows))
    st.caption(
        f"n = {len(rows):,} rows; one row is one abnormality in one view. Malignant: {malignant:,} rows, 95% interval "
        f"{low:.1%} to {high:.1%}. {ENRICHED}"
    )


def render_plots(rows: pd.DataFrame, seen: Overview) -> None:
    name = parts.one_of("Divide by", explore.ATTRIBUTES, key="by", bind="query-params", default="group")
    attribute = explore.ATTRIBUTES[name]
    counts, shares = explore.count_by(rows, attribute), explore.malignant_share(rows, attribute)
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown(f"**{attribute.name} and pathology**")
        st.html(parts.PATHOLOGY_KEY)
        linked(counts_figure(counts), name, "counts", parts.alt_counts(counts))
    with right:
        st.markdown(f"**Malignant share by {attribute.name.lower()}**")
        st.html(SHARE_KEY)
        linked(share_figure(shares), name, "shares", parts.alt_shares(shares))
    notes = [f"n = {len(rows):,} rows, {parts.data_words(seen)}."]
    if attribute.several:
        notes.append("A row with several values counts in each.")
    notes.append("Wilson's intervals take rows as independent; two views of one lesion are not.")
    st.caption(" ".join([*notes, ENRICHED]))
    with st.expander("The same as a table"):
        percent = st.column_config.NumberColumn(format="percent")
        st.dataframe(
            shares.drop(columns="key"), hide_index=True, column_config=dict.fromkeys(("share", "low", "high"), percent)
        )


def render_pairs(rows: pd.DataFrame) -> None:
    st.subheader("What stands together", anchor=False)
    name = parts.one_of("Values of", SEVERAL, key="pairs", bind="query-params", default="group")
    both = explore.co_occurrence(rows, explore.ATTRIBUTES[name])
    if both.empty:
        st.caption(f"n = {len(rows):,} rows; none of them names two values.")
        return
    figure = overlap_figure(both).update_layout(height=130 + 28 * len(both))
    pairs = both.stack()
    words = ", ".join(f"{one} and {other} {n}" for (one, other), n in pairs.items() if n and one < other)
    parts.chart(figure, "pairs-chart", f"Rows that name both: {words}.")
    st.caption(f"n = {len(rows):,} rows; a cell counts those that name both, the diagonal those that name the one.")


def render_missing(rows: pd.DataFrame) -> None:
    st.subheader("What is missing", anchor=False)
    missing, together = explore.missing_values(rows), explore.missing_together(rows)
    worst = missing[missing["missing"] > 0].sort_values("missing", ascending=False)
    if worst.empty:
        st.markdown(f":material/check: Nothing: all of the {len(rows):,} rows are complete.")
        return
    top = worst.iloc[0]
    st.markdown(
        f"A gap can give the answer away: **{top['share_missing']:.0%}** of the {top['missing']:,} rows without "
        f"{top['column']} are malignant, against {top['share_stated']:.0%} of the rows that state it."
        if pd.notna(top["share_stated"])
        else f"All of the {top['missing']:,} rows lack {top['column']}."
    )
    st.html(parts.PATHOLOGY_KEY)
    gaps = together[together["value"] != "nothing"]
    parts.chart(counts_figure(gaps), "gaps", parts.alt_counts(gaps))
    complete = int(together.loc[together["value"] == "nothing", "n"].sum())
    st.caption(f"n = {len(rows):,} rows by the columns that are missing together; {complete:,} lack nothing.")
    with st.expander("Column by column"):
        percent = st.column_config.NumberColumn(format="percent")
        shares = {
            "share": percent,
            "share_missing": st.column_config.NumberColumn("malignant where missing", format="percent"),
            "share_stated": st.column_config.NumberColumn("malignant where stated", format="percent"),
        }
        st.dataframe(missing, hide_index=True, placeholder="", column_config=shares)


def render_faults(*, on_disk: bool) -> None:
    """on_disk : there are images, so that a missing one is a fault"""
    st.subheader("What is wrong", anchor=False)
    faults = source.fault_table()
    if faults.empty:
        st.success("No fault was found.", icon=":material/check:")
        return
    kinds = faults.groupby("kind")["rows"].sum().sort_values(ascending=False)
    absent = int(kinds.get(FaultKind.ROW_WITHOUT_IMAGE, 0))  # in words: as a bar it would dwarf the others
    drawn = kinds.drop(FaultKind.ROW_WITHOUT_IMAGE, errors="ignore")
    st.markdown(
        f"**{int(drawn.sum()):,} faults of {len(drawn)} kinds**"
        + (f", besides {absent:,} rows without all of their images on disk." if absent and on_disk else ".")
    )
    names, values = [str(kind) for kind in drawn.index], [int(n) for n in drawn]
    alt = "Faults: " + ", ".join(f"{name} {n}" for name, n in zip(names, values, strict=True))
    parts.chart(bars_figure(names, values, "faults", colour=NEUTRAL), "faults", alt)
    listed = st.expander("Every fault, with its case and what was done about it", on_change="rerun")
    if listed.open:
        with listed:
            chosen = st.selectbox("Kind", ["every kind", *map(str, kinds.index)], key=state.DATASET_FAULT)
            st.dataframe(faults if chosen == "every kind" else faults[faults["kind"] == chosen], hide_index=True)
    st.caption(
        "All four tables, whatever is filtered; mass rows matter for patients that stand in both splits. Nothing was "
        "guessed. `python -m lemons_core check` looks at the pixels too."
    )


def render_table(rows: pd.DataFrame, filters: dict[str, list[str]]) -> None:
    st.subheader("The rows", anchor=False)
    tail = "&" + urlencode(subset(filters), doseq=True) if filters else ""
    shown = rows[SHOWN].assign(calc_groups=rows["calc_groups"].map(", ".join))
    shown.insert(0, "open", parts.case_links(rows, tail))
    st.dataframe(
        shown,
        hide_index=True,
        height=320,
        placeholder="",
        lazy=len(shown) > LAZY,
        column_config={"open": parts.case_column()},
    )
    st.download_button(
        "Download these rows (CSV)",
        data=lambda: shown.drop(columns="open").to_csv(index=False).encode(),
        file_name="calcifications.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def render(seen: Overview) -> None:
    collection = source.read_tables()
    parts.render_missing_images(seen)
    table = collection.table[NEEDED]
    filters, rows = choose_filters(table)
    if rows.empty:
        st.info("No row is left by these filters. Take one away.", icon=":material/filter_alt_off:")
        return
    render_figures(rows)
    render_plots(rows, seen)
    left, right = st.columns(2, gap="large")
    with left:
        render_pairs(rows)
    with right:
        render_missing(rows)
    render_table(rows, filters)
    render_faults(on_disk=bool(len(collection.index.files)))
    if st.button("Read the data again", icon=":material/refresh:"):
        source.forget_data()
        st.rerun()


enter(__file__)
parts.page_title(
    "Data set", "What the case tables of the collection hold, by type, group and outcome, and where they are wrong."
)
with parts.guard():
    render(source.overview())
