"""Notes: from the words of a mammography note to a probability of malignancy, and how far to trust it."""

import streamlit as st

from lemons_core.dataset.collection import Collection
from lemons_core.notes.board import Board
from lemons_core.notes.store import read_shipped
from lemons_core.notes.text import FEATURE_SETS, Features
from lemons_core.ui.notes import tabs as notes_tabs
from lemons_core.ui.notes import view as notes_view
from lemons_core.ui.notes import work as notes_work
from lemons_core.ui.shell import parts, source
from lemons_core.ui.shell.navigation import enter

TABS = ("How good", "Why", "Leakage lab", "All models")


def choose_features() -> Features:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        # No prettier words: what stands on a button also stands in the address.
        features: Features = st.segmented_control(
            "What the model reads", tuple(FEATURE_SETS), default="assessment", required=True, key="features",
            bind="query-params",
        )  # fmt: skip
        st.caption(FEATURE_SETS[features].words)
    return features


def render_figures(board: Board, words: str) -> None:
    columns = st.container(key="figures").columns(4)
    for column, name in zip(columns, ("auc", "accuracy", "sensitivity", "specificity"), strict=True):
        notes_tabs.render_card(column, name, board.subsets[0].scores)
    malignant = board.labels.mean()
    hard = next((s.scores for s in board.subsets if (s.subset, s.unit) == ("without_bwc", "row")), None)
    without = hard and f" Without rows never called back, n = {hard.n:,}: AUC {notes_tabs.interval(hard.auc)}."
    st.caption(
        f"{notes_tabs.counted(board, words)}; 95% intervals, operating point {board.model.threshold:.2f}. Always "
        f"saying the same would be right in {max(malignant, 1 - malignant):.1%}.{without or ''} "
        f"Model trained on {parts.plain(board.card.trained_on)}."
    )


def render_note(features: Features, board: Board | None, words: str) -> None:
    st.subheader("Try a note", anchor=False)
    left, right = st.columns([1.25, 1], gap="large")
    answer = None
    with left, parts.guard():
        parsed = notes_view.choose_note(features)
        model_of = (lambda _: board.model) if board else read_shipped
        with right:
            answer = notes_view.render_answer(parsed, features, model_of)
    if answer is None:
        return
    left, right = st.columns([1, 1.25], gap="large")
    with left:
        notes_view.render_why(answer)
    with right:
        if board:
            notes_view.render_similar(board.table, answer.note, words)


def render_tabs(collection: Collection, board: Board, words: str) -> None:
    tabs = dict(zip(TABS, st.tabs(TABS, key="show", bind="query-params"), strict=True))
    draw = {
        "How good": lambda: notes_tabs.render_quality(board, words),
        "Why": lambda: notes_tabs.render_reasons(collection, board, words),
        "Leakage lab": lambda: notes_tabs.render_lab(collection, words),
        "All models": lambda: notes_tabs.render_models(collection, words),
    }
    for name, tab in tabs.items():
        if tab.open:  # the others would cost seconds for nothing
            with tab, parts.guard():
                draw[name]()


enter(__file__)
parts.page_title(
    "Notes",
    "From the words of a mammography note to a probability of malignancy, and how far to trust it.",
    predicts=True,
)
features = choose_features()
board, collection, words = None, None, "no data in use"
with parts.guard():
    seen = source.overview()
    words = parts.data_words(seen)
    collection = source.read_tables()
    board = notes_work.board(collection, features)
    render_figures(board, words)
render_note(features, board, words)
if board and collection:
    render_tabs(collection, board, words)
