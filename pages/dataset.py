"""Data set: what the case table holds, how its types relate to pathology, and what is wrong with it."""

import pandas as pd
import streamlit as st

from lemons_core import charts, eda
from lemons_core.collection import Collection
from lemons_core.metrics import wilson
from lemons_core.terms import GROUPS
from lemons_core.ui import parts, source
from lemons_core.ui.navigation import enter
from lemons_core.ui.overview import Overview

FIRST = (
    "case_id", "split", "calc_groups", "morphology", "distribution", "pathology", "assessment", "breast_density",
    "subtlety", "laterality", "view", "patient_id", "source_file", "source_row",
)  # fmt: skip
SHARE_KEY = '<div class="key"><span>Dot: share of rows. Bar: 95% interval.</span></div>'
ENRICHED = "Case-enriched: these are not screening PPVs."


def choose_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that the filters leave; the filters live in the address."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        # No prettier words: what stands on a button also stands in the address.
        split = st.segmented_control("Split", ["train", "test"], key="split", bind="query-params")
        groups = st.pills(
            "Group", [str(group) for group in GROUPS], selection_mode="multi", key="group", bind="query-params"
        )
    return eda.filter_rows(table, split=split, groups=groups or ())


def render_figures(rows: pd.DataFrame, every: pd.DataFrame) -> None:
    malignant = int((rows["pathology"] == "MALIGNANT").sum())
    figures = {
        "Abnormalities": f"{len(rows):,}",
        "Lesions": f"{rows['lesion_id'].nunique():,}",
        "Patients": f"{rows['patient_id'].nunique():,}",
        "Malignant": f"{malignant / len(rows):.1%}",
    }
    with st.container(key="figures"):
        columns = st.columns(4)
    for column, (name, value) in zip(columns, figures.items(), strict=True):
        column.metric(name, value, border=True)
    low, high = wilson(malignant, len(rows))
    st.caption(
        f"n = {len(rows):,} of {len(every):,} rows; one row is one abnormality in one view. Malignant: {malignant:,} "
        f"rows, 95% interval {low:.1%} to {high:.1%}. {ENRICHED}"
    )


def render_plots(rows: pd.DataFrame, seen: Overview) -> None:
    name = st.segmented_control(
        "Divide by",
        list(eda.ATTRIBUTES),
        key="by",
        bind="query-params",
        default="group",
        required=True,
        wrap=True,
    )
    attribute = eda.ATTRIBUTES[name]
    counts, shares = eda.count_by(rows, attribute), eda.malignant_share(rows, attribute)
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown(f"**{attribute.name} and pathology**")
        st.html(parts.PATHOLOGY_KEY)
        parts.chart(charts.counts_figure(counts), "counts", parts.alt_counts(counts))
    with right:
        st.markdown(f"**Malignant share by {attribute.name.lower()}**")
        st.html(SHARE_KEY)
        parts.chart(charts.share_figure(shares), "shares", parts.alt_shares(shares))
    notes = [f"n = {len(rows):,} rows, {parts.data_words(seen)}."]
    if attribute.several:
        notes.append("A row with several values counts in each.")
    if name == "distribution":
        notes.append("A missing distribution gives the pathology away: almost all of these rows had no callback.")
    notes.append("Wilson's intervals take rows as independent; two views of one lesion are not.")
    st.caption(" ".join([*notes, ENRICHED]))
    with st.expander("The same as a table"):
        st.dataframe(
            shares.drop(columns="key"),
            hide_index=True,
            column_config={name: st.column_config.NumberColumn(format="percent") for name in ("share", "low", "high")},
        )


def render_missing(rows: pd.DataFrame) -> None:
    st.subheader("Missing values", anchor=False)
    missing = eda.missing_values(rows)
    st.table(
        {
            "Column": list(missing["column"]),
            "Missing": [f"{row.missing:,} ({row.share:.1%})" for row in missing.itertuples()],
            "Of these malignant": [
                f"{n:,}" if gone else "" for n, gone in zip(missing["malignant"], missing["missing"], strict=True)
            ],
        },
        hide_index=True,
    )
    st.caption(f"n = {len(rows):,} rows.")


def render_problems(collection: Collection) -> None:
    st.subheader("What is wrong with the tables", anchor=False)
    problems = eda.problem_table(collection.cases.problems)
    if problems.empty:
        st.success("No fault was found in the case tables.", icon=":material/check:")
        return
    kinds = problems["kind"].value_counts()
    st.markdown(f"**{len(problems):,} faults by kind**")
    parts.chart(
        charts.bars_figure([str(kind) for kind in kinds.index], [int(n) for n in kinds], "faults"),
        "problems",
        "Faults: " + ", ".join(f"{kind} {n}" for kind, n in kinds.items()),
    )
    with st.expander("Every fault, with its file, row and column"):
        chosen = st.selectbox("Kind", ["every kind", *kinds.index], key="fault")
        st.dataframe(problems if chosen == "every kind" else problems[problems["kind"] == chosen], hide_index=True)
    st.caption(
        "All four tables, mass rows too: they matter for patients that stand in both splits. Nothing was guessed."
    )


def render_table(rows: pd.DataFrame) -> None:
    st.subheader("The rows", anchor=False)
    shown = rows.drop(columns=[name for name in rows if name.endswith(("_tokens", "_path", "_series", "_file"))])
    shown = shown.assign(calc_groups=rows["calc_groups"].map(", ".join)).dropna(axis="columns", how="all")
    st.dataframe(shown, hide_index=True, height=320, placeholder="", column_order=[c for c in FIRST if c in shown])
    st.download_button(
        "Download these rows (CSV)",
        data=lambda: shown.to_csv(index=False).encode(),
        file_name="calcifications.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


enter(__file__)
parts.page_title(
    "Data set", "What the case tables of the collection hold, by type, group and outcome, and where they are wrong."
)
with parts.guard():
    seen = source.overview()
    collection = source.read_tables(source.data_root()[0])
    parts.render_missing_images(seen)
    rows = choose_rows(collection.table)
    if rows.empty:
        st.info("No row is left by these filters. Take one away.", icon=":material/filter_alt_off:")
    else:
        render_figures(rows, collection.table)
        render_plots(rows, seen)
        left, right = st.columns(2, gap="large")
        with left:
            render_missing(rows)
        with right:
            render_problems(collection)
        render_table(rows)
    if st.button("Read the folder again", icon=":material/refresh:"):
        source.forget_data()
        st.rerun()
