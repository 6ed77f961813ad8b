"""Relabel: from calcification types to four groups, by rules that a visitor can see, change and question."""

from dataclasses import replace

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lemons_core.base.terms import GROUP_ABOUT, GROUPS, Group, display
from lemons_core.dataset.collection import Collection
from lemons_core.dataset.explore import ATTRIBUTES, malignant_share
from lemons_core.dataset.overview import Overview
from lemons_core.labels.mapping import GroupMapping, add_groups, mapping_text, parse_mapping, read_mapping
from lemons_core.labels.review import find_suspects
from lemons_core.labels.summary import moved_rows
from lemons_core.ui.relabel.view import render_flow, render_statistics, render_suspects
from lemons_core.ui.shell import parts, source, state
from lemons_core.ui.shell.navigation import enter


def mapping_in_use() -> GroupMapping:
    text = st.session_state.get(state.RELABEL_RULES)
    return parse_mapping(text, where="your rules") if text else read_mapping()


def keep_rules(mapping: GroupMapping | None) -> None:
    """Use these rules from now on, on every visit to this page; None: the product's own."""
    if mapping is None or mapping == read_mapping():
        st.session_state.pop(state.RELABEL_RULES, None)
    else:
        st.session_state[state.RELABEL_RULES] = mapping_text(mapping)
    # A new key, or the editor would apply its old edits to the new rules.
    st.session_state[state.RELABEL_RULES_VERSION] = st.session_state.get(state.RELABEL_RULES_VERSION, 0) + 1


def editor_key() -> str:
    return f"rules-{st.session_state.get(state.RELABEL_RULES_VERSION, 0)}"


def take_edit() -> None:
    rules = list(mapping_in_use().rules)
    for index, change in st.session_state[editor_key()]["edited_rows"].items():
        if change.get("group"):
            rules[index] = replace(rules[index], group=Group(change["group"]))
        if change.get("rank"):
            rule = rules.pop(index)
            rules.insert(int(change["rank"]) - 1, rule)
    keep_rules(GroupMapping(tuple(rules)))


@st.cache_resource(max_entries=8, show_spinner=False)
def labelled(
    version: int, rules: str, with_model: bool, _table: pd.DataFrame, _probabilities: pd.DataFrame | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows under these rules, and their suspects; `version` changes with each reading of the tables."""
    mapping = parse_mapping(rules)
    table = add_groups(_table, mapping)
    return table, find_suspects(table, mapping, _probabilities)


@st.cache_resource(max_entries=2, show_spinner=False)
def predict_crops(version: int, _table: pd.DataFrame, _bar: DeltaGenerator) -> pd.DataFrame:
    """The shipped model's probabilities for the crops on disk, none of which it was trained on."""
    from lemons_core.vision.evaluate.unseen import predict_unseen
    from lemons_core.vision.network.weights import read_model

    return predict_unseen(_table, read_model(), progress=lambda share, case: _bar.progress(share, f"Asking: {case}"))


def render_cards(table: pd.DataFrame, mapping: GroupMapping, seen: Overview) -> None:
    shares = malignant_share(table, ATTRIBUTES["group"]).set_index("key")
    columns = st.container(key="groups").columns(4)
    for column, group in zip(columns, GROUPS, strict=True):
        with column.container(border=True, height="stretch"):
            picture, caption = parts.group_picture(seen, str(group))
            st.image(picture, caption=caption, width="stretch", alt=f"A crop with {group} calcifications, {caption}")
            st.html(parts.group_heading(group))
            if str(group) in shares.index:
                row = shares.loc[str(group)]
                st.markdown(
                    f"**{int(row['n']):,}** rows, **{row['share']:.0%}** malignant "
                    f"({row['low']:.0%} to {row['high']:.0%})"
                )
            else:
                st.markdown("**No row** under these rules")
            what, looks, goes = GROUP_ABOUT[group]
            with st.popover("What is it?", width="stretch"):
                st.markdown(
                    f"**What it is.** {what}\n\n**What it looks like.** {looks}\n\n**What it goes with.** {goes}"
                )
                own = [rule for rule in mapping.rules if rule.group == group]
                st.markdown("\n".join(f"- {display(r.token)} (BI-RADS {r.birads}): {r.reason}" for r in own))


def render_rules(mapping: GroupMapping, before: pd.DataFrame, after: pd.DataFrame) -> None:
    st.subheader("The rules", anchor=False)
    st.markdown(
        "A compound type belongs to every group that its words name. For one label a row, the word that stands "
        "**highest in this table** decides. Change a group or a rank and see what moves."
    )
    frame = pd.DataFrame(
        {
            "rank": range(1, len(mapping.rules) + 1),
            "type": [display(rule.token) for rule in mapping.rules],
            "group": [str(rule.group) for rule in mapping.rules],
            "BI-RADS": [rule.birads for rule in mapping.rules],
            "why": [rule.reason for rule in mapping.rules],
        }
    )
    st.data_editor(
        frame,
        key=editor_key(),
        on_change=take_edit,
        hide_index=True,
        disabled=["type", "BI-RADS", "why"],
        height=38 + 35 * len(frame),
        column_config={
            "rank": st.column_config.NumberColumn(min_value=1, max_value=len(frame), step=1, width=60, required=True),
            "group": st.column_config.SelectboxColumn(options=[str(group) for group in GROUPS], required=True),
        },
    )
    with st.container(horizontal=True):
        changed = state.RELABEL_RULES in st.session_state
        st.button("Back to the product's rules", disabled=not changed, on_click=keep_rules, args=(None,))
        st.download_button(
            "Download the rules (CSV)", mapping_text(mapping), "rules.csv", "text/csv", on_click="ignore"
        )
        with st.popover("Upload your own"):
            upload = st.file_uploader("A CSV like groups.csv", type="csv", key=f"own-{editor_key()}")
            if upload is not None:
                with parts.guard():
                    keep_rules(parse_mapping(upload.getvalue().decode("utf-8-sig", "replace"), where=upload.name))
                    st.rerun()
    moved = moved_rows(before, after)
    if moved.empty:
        st.caption("These rules give every row the label of the product's own rules.")
        return
    several = moved[moved["from"] != moved["to"]]
    st.markdown(
        f"**{len(moved):,} rows move** against the product's rules; {len(several):,} of them get another single label."
    )
    st.dataframe(
        moved.groupby(["from", "to"]).size().rename("rows").reset_index().sort_values("rows", ascending=False),
        hide_index=True,
    )
    with st.expander("Every row that moves"):
        st.dataframe(moved, hide_index=True, height=260)


def render(collection: Collection, seen: Overview) -> None:
    mapping = mapping_in_use()
    version, with_model, probabilities = id(collection), state.RELABEL_WITH_MODEL in st.session_state, None
    if with_model:
        bar = st.empty()
        probabilities = predict_crops(version, collection.table, bar)
        bar.empty()
    table, suspects = labelled(version, mapping_text(mapping), with_model, collection.table, probabilities)
    if state.RELABEL_RULES in st.session_state:
        st.info("Your own rules are in use on this page and in its downloads.", icon=":material/rule:")
    render_cards(table, mapping, seen)
    flow, rules = st.columns([1, 1.1], gap="large")
    with flow:
        render_flow(table, seen)
    with rules:
        render_rules(mapping, collection.table, table)
    render_statistics(table, seen)
    render_suspects(table, suspects, mapping)


enter(__file__)
parts.page_title(
    "Relabel", "Sort thirteen words for calcifications into four groups, and see what that keeps and what it loses."
)
with parts.guard():
    seen = source.overview()
    render(source.read_tables(), seen)
