"""The figures of the relabel page: flow from type to group, statistics, suspects."""

import pandas as pd
import streamlit as st

from lemons_core.charts.base import counts_figure, share_figure
from lemons_core.charts.labels import overlap_figure, sankey_figure
from lemons_core.dataset import explore, export
from lemons_core.dataset.overview import Overview
from lemons_core.labels import summary
from lemons_core.labels.mapping import GroupMapping
from lemons_core.labels.review import REASONS
from lemons_core.metrics.binary import wilson
from lemons_core.ui.shell import parts, state

MOST_CROPS = 400  # crops; at a few a second more would keep a visitor waiting for minutes


def render_flow(table: pd.DataFrame, seen: Overview) -> None:
    st.subheader("From type to group", anchor=False)
    flow = summary.type_to_group(table)
    alt = "; ".join(f"{row.morphology} to {row.group} {row.n}" for row in flow.itertuples())
    parts.chart(sankey_figure(flow), "flow", f"Rows from type to group: {alt}")
    uncovered, several = summary.uncovered_rows(table), summary.multi_rows(table)
    low, high = wilson(len(several), len(table))
    st.caption(
        f"n = {len(table):,} rows, {parts.data_words(seen)}. {len(several):,} rows ({len(several) / len(table):.1%}, "
        f"95% interval {low:.1%} to {high:.1%}) belong to more than one group; the flow shows the single label. "
        f"{len(uncovered)} rows have no type and so no group."
    )
    with st.expander(f"The {len(uncovered)} rows that no rule covers"):
        st.dataframe(uncovered[["case_id", "split", "pathology", "distribution"]], hide_index=True, height=200)


def render_statistics(table: pd.DataFrame, seen: Overview) -> None:
    st.subheader("Does it make sense?", anchor=False)
    note = f"n = {len(table):,} rows, {parts.data_words(seen)}. Case-enriched: these are not screening PPVs."
    group, left, right = explore.ATTRIBUTES["group"], *st.columns(2, gap="large")
    with left:
        st.markdown("**Pathology by group**")
        st.html(parts.PATHOLOGY_KEY)
        counts = explore.count_by(table, group)
        parts.chart(counts_figure(counts), "group-counts", parts.alt_counts(counts))
    with right:
        st.markdown("**Malignant share by group**")
        shares = explore.malignant_share(table, group)
        parts.chart(share_figure(shares), "group-shares", parts.alt_shares(shares))
    st.caption(f"{note} A row counts in each of its groups.")
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Groups that stand together in one row**")
        both = explore.co_occurrence(table, group, every=True)
        parts.chart(overlap_figure(both), "overlap", f"Rows that hold two groups: {both.to_dict()}")
    with right:
        st.markdown("**Rows by single label**")
        columns = ("split", "view", "breast_density")
        words = {column: column.replace("_", " ") for column in columns}
        by = parts.one_of("Divide by", columns, key=state.RELABEL_DIVIDE, format_func=words.get)
        st.dataframe(summary.label_counts_by(table, by))
    pairs = summary.view_agreement(table)
    agree, n = int(pairs["same_type"].sum()), len(pairs)
    low, high = wilson(agree, n)
    with st.expander(f"Do both views of a lesion agree? {agree:,} of {n:,} on the type"):
        st.markdown(
            f"CC and MLO name the same types in {agree:,} of {n:,} lesions seen in both "
            f"({agree / max(n, 1):.1%}, 95% interval {low:.1%} to {high:.1%}), and the same single label in "
            f"{int(pairs['same_group'].sum()):,}. These do not:"
        )
        st.dataframe(pairs[~pairs["same_type"]].drop(columns="same_type"), hide_index=True, height=260)
    with st.expander("Class weights for training"):
        weights = summary.class_weights(table[table["split"] == "train"])
        st.dataframe(weights.round(3), hide_index=True)
        st.caption("Training split, single label; mean weight 1. Effective number: Cui et al. 2019, beta 0.999.")
    with st.expander("The original work's labels cannot come from the type alone"):
        compared = summary.against_original(table)
        st.dataframe(compared, hide_index=True)
        st.markdown(
            "The work that this project follows had 82 amorphous, 56 macro, 128 micro and 56 vascular crops in its "
            "test split. `at_least` counts rows whose words leave no other group, `at_most` rows that could be "
            "given this group at all, whatever the precedence. An original count outside them was made in another way."
            + (" The rows here are simulated: on the real tables all four lie outside." if seen.simulated else "")
        )


def render_model_question(table: pd.DataFrame) -> None:
    """Offer the image model's doubts: rows where it is confident of another group than the label's."""
    crops = int((table["crop_file"].notna() & table["calc_group"].notna()).sum())
    if state.RELABEL_WITH_MODEL in st.session_state:
        st.caption(f"The shipped image model, trained on simulated calcifications, was asked about {crops:,} crops.")
    elif 0 < crops <= MOST_CROPS:
        st.button(
            f"Ask the image model about {crops:,} crops",
            icon=":material/psychology_alt:",
            help="Adds the rows where it is as sure of another group as it usually is of that group's own rows.",
            on_click=st.session_state.update,
            args=({state.RELABEL_WITH_MODEL: True},),
        )
    else:
        st.caption("`python -m lemons_core labels --model DIR` adds the rows where an image model disagrees.")


def render_suspects(table: pd.DataFrame, suspects: pd.DataFrame, mapping: GroupMapping) -> None:
    st.subheader("Rows worth a second look", anchor=False)
    counts = suspects["reason"].value_counts()
    present = [reason for reason in REASONS if reason in counts]
    # No prettier words: what stands on a pill also stands in the address.
    chosen = st.pills("Reason", present, selection_mode="multi", key="reason", bind="query-params")
    shown = suspects[suspects["reason"].isin(chosen or present)]
    details = table.set_index("case_id")[["split", "pathology", "assessment", "lesion_id", "crop_file"]]
    st.dataframe(
        shown.join(details, on="case_id").assign(open=parts.case_links(shown.join(details, on="case_id"))),
        hide_index=True,
        height=300,
        column_order=["open", "case_id", "reason", "detail", "split", "pathology", "assessment", "lesion_id"],
        column_config={"open": parts.case_column()},
    )
    st.caption(
        f"{suspects['case_id'].nunique():,} of {len(table):,} rows, by plain rules: a question, not an error ("
        + ", ".join(f"{reason} {counts[reason]}" for reason in present)
        + ")."
    )
    render_model_question(table)
    with st.container(horizontal=True):
        labels = export.label_table(table, suspects, mapping)
        st.download_button(
            "Labels (CSV)", lambda: labels.to_csv(index=False).encode(), "labels.csv", "text/csv",
            icon=":material/download:", on_click="ignore",
        )  # fmt: skip
        images = len(export.class_images(table))
        if images and st.button(
            f"Make the picture set ({images:,} crops, one folder a class)", icon=":material/folder_zip:"
        ):
            with parts.guard(), st.spinner("Reading the crops"):
                st.download_button(
                    "Download the picture set (ZIP)", export.zip_class_folders(table), "calcifications.zip",
                    "application/zip", type="primary", on_click="ignore",
                )  # fmt: skip
