"""The tabs of the page of the notes: how good, why, the leakage lab, all models."""

import json
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lemons_core.charts import notes as charts_notes
from lemons_core.charts.base import bars_figure
from lemons_core.dataset.collection import Collection
from lemons_core.metrics.binary import Estimate, Scores
from lemons_core.notes.board import Board
from lemons_core.notes.evaluate import PROTOCOLS, ModelScores, score_rows
from lemons_core.notes.explain import DESCRIPTOR_WORDS, column_words
from lemons_core.notes.leakage import Trick
from lemons_core.ui.notes import work as notes_work
from lemons_core.ui.shell import parts, state

SUBSETS = {"all": "all", "without_bwc": "without rows never called back"}
PROTOCOL_WORDS = {
    "official": "official test split, settings from training alone",
    "grouped_cv": "training split, five folds by patient",
    "row_split": "rows shuffled: too good, see the leakage lab",
}


def interval(estimate: Estimate | None) -> str:
    """A figure with its interval, in words."""
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})" if estimate else "not defined"


def counted(board: Board, words: str) -> str:
    """n, what was scored and of which data, for the line under a figure."""
    scores = board.subsets[0].scores
    return f"n = {scores.n:,} rows of {scores.patients:,} patients, {PROTOCOL_WORDS[board.protocol]}, {words}"


def render_card(column: DeltaGenerator, name: str, scores: Scores) -> None:
    """One figure of metrics.Scores as a card, its interval below."""
    figure: Estimate | None = getattr(scores, name)
    title, form = ("AUC", "{:.3f}") if name == "auc" else (name.capitalize(), "{:.1%}")
    value, low, high = map(form.format, figure) if figure else ("–", "–", "–")
    column.metric(title, value, f"{low} to {high}", delta_color="off", delta_arrow="off", border=True)


@st.fragment
def render_quality(board: Board, words: str) -> None:
    """Curves and counts at a threshold that the visitor moves; nothing is fitted again."""
    threshold = st.slider(
        "Operating point: call a row malignant from this probability on",
        0.01,
        0.99,
        board.model.threshold,
        0.01,
        key=state.NOTES_THRESHOLD,
    )
    point = board.curve[board.curve["threshold"] >= threshold].iloc[-1]
    scores = score_rows(board.rows, board.probabilities, threshold=threshold, replicates=400)
    columns = st.container(key="figures_at").columns(4)
    for column, name in zip(columns, ("sensitivity", "specificity", "accuracy"), strict=False):
        render_card(column, name, scores)
    called = int(point["tp"] + point["fp"])
    found = f"{int(point['tp']):,} of them malignant"
    columns[3].metric("Called malignant", f"{called:,}", found, delta_color="off", delta_arrow="off", border=True)
    overall, at = board.subsets[0].scores, f"at {threshold:.0%}"
    left, right = st.columns(2, gap="large")
    rates = ", ".join(f"{name} {point[name]:.0%}" for name in ("sensitivity", "specificity"))
    figure = charts_notes.roc_figure(board.curve, point)
    _panel(left, f"ROC: AUC {interval(overall.auc)}", figure, key="roc", alt=f"ROC curve; {at}: {rates}")
    figure = charts_notes.precision_figure(board.curve, point)
    alt = f"Precision-recall curve; {at}: precision {point['precision']:.0%}"
    _panel(right, f"Precision: average {interval(overall.average_precision)}", figure, key="precision", alt=alt)
    left, right = st.columns(2, gap="large")
    bins = board.reliability.itertuples()
    alt = "; ".join(f"stated {row.probability:.0%}, seen {row.share:.0%} of {row.n}" for row in bins)
    title = f"Calibration: ECE {scores.ece:.3f}, Brier {scores.brier:.3f}"
    figure = charts_notes.reliability_figure(board.reliability)
    _panel(left, title, figure, key="reliability", alt=f"Reliability: {alt}")
    alt = f"Confusion {at}: " + ", ".join(f"{name} {int(point[name])}" for name in ("tp", "fn", "fp", "tn"))
    _panel(right, f"Right and wrong {at}", charts_notes.confusion_figure(point), key="confusion", alt=alt)
    st.caption(
        f"{counted(board, words)}. Red dot: the operating point. Dashed: guessing (ROC, precision) or perfect "
        "calibration. Larger dots hold more rows. Intervals are 95%: of whole patients drawn anew, in the calibration "
        "plot Wilson's. With so few rows even a perfect model has an ECE of about 0.03."
    )
    st.markdown("**The same model, other ways to count**")
    st.table(
        {
            "Counted": [f"{subset.unit}s, {SUBSETS[subset.subset]}" for subset in board.subsets],
            "n": [f"{subset.scores.n:,}" for subset in board.subsets],
            "AUC": [interval(subset.scores.auc) for subset in board.subsets],
            "Accuracy": [interval(subset.scores.accuracy) for subset in board.subsets],
            "ECE": [f"{subset.scores.ece:.3f}" for subset in board.subsets],
        },
        hide_index=True,
    )
    st.caption(
        "A lesion takes both its views together. Rows that were never called back are the easy ones: without them the "
        f"figures fall. {words[0].upper()}{words[1:]}."
    )


def _panel(column: DeltaGenerator, title: str, figure: go.Figure, *, key: str, alt: str, caption: str = "") -> None:
    """A heading, a figure, and the line under it."""
    with column:
        st.markdown(f"**{title}**")
        parts.chart(figure, key, alt)
        if caption:
            st.caption(caption)


def render_reasons(collection: Collection, board: Board, words: str) -> None:
    why = notes_work.reasons(collection, board)
    note = f"{counted(board, words)}."
    left, right = st.columns(2, gap="large")
    lost = why.permutation
    names = [DESCRIPTOR_WORDS[name] for name in lost["descriptor"]]
    _panel(
        left,
        "What the AUC loses without it",
        bars_figure(names, lost["loss"], "AUC lost", intervals=lost[["low", "high"]]),
        key="permutation",
        alt="AUC lost: " + ", ".join(f"{name} {loss:.3f}" for name, loss in zip(names, lost["loss"], strict=True)),
        caption="Permutation: one descriptor shuffled among the scored rows, 20 times; bars span 5-95% of these. "
        + note,
    )
    names = [DESCRIPTOR_WORDS[name] for name in why.gain["descriptor"]]
    _panel(
        right,
        "What the trees split on",
        bars_figure(names, 100 * why.gain["share"], "share of total gain", unit="%"),
        key="gain",
        alt="Gain: " + ", ".join(f"{n} {share:.0%}" for n, share in zip(names, why.gain["share"], strict=True)),
        caption="Gain in training: it tells what the model used, not what helps on new patients. "
        f"n = {board.card.rows:,} training rows, {parts.plain(board.card.trained_on)}.",
    )
    left, right = st.columns(2, gap="large")
    columns = board.model.vectoriser.names
    top = sorted(zip(abs(why.shap).mean(axis=0), columns, strict=True), reverse=True)[:10]
    _panel(
        left,
        "How far each word moved each row",
        charts_notes.shap_figure(why.shap, why.matrix, columns),
        key="shap",
        alt="Mean absolute SHAP values: " + ", ".join(f"{column_words(name)} {value:.2f}" for value, name in top),
        caption="SHAP values before calibration; to the right is towards malignant. A larger dot holds more rows. "
        f"Full: present or high; pale: absent or low. {note}",
    )
    with right:
        st.markdown("**The mean answer, were every row the same in**")
        chosen = parts.one_of(
            "Descriptor", why.dependence, key=state.NOTES_DESCRIPTOR,
            format_func=DESCRIPTOR_WORDS.get, label_visibility="collapsed",
        )  # fmt: skip
        table = why.dependence[chosen]
        alt = ", ".join(f"{row.words} {row.probability:.0%}" for row in table.itertuples())
        parts.chart(charts_notes.dependence_figure(table), "dependence", f"Mean probability: {alt}")
        st.caption(
            "Partial dependence. n beside a value: scored rows that hold it; few rows tell little. An average over "
            f"notes that may not occur together. {note}"
        )


def render_lab(collection: Collection, words: str) -> None:
    st.markdown(
        "Each line is one figure **without (ring) and with (dot) one shortcut**, all else alike. The distance is what "
        "the shortcut adds to a claim; a reader who is shown only the dot cannot know."
    )
    tricks = notes_work.lab(collection)
    figure, gains = st.columns([1.2, 1], gap="large")
    with figure:
        alt = "; ".join(f"{t.title}: {t.gain_auc:+.3f} AUC" for t in tricks if t.gain_auc is not None)
        parts.chart(charts_notes.lab_figure(tricks), "lab", alt)
        st.caption(f"AUC with patient-bootstrap 95% intervals, {words}; n in the table below.")
    with gains:
        for trick in tricks:
            gain = "not in this data" if trick.gain_auc is None else f"{trick.gain_auc:+.3f} AUC"
            st.markdown(f"**{trick.title}: {gain}.** {trick.why}")
    _render_claim(tricks, words)
    st.table(
        {
            "Shortcut": [trick.title for trick in tricks],
            "Honest": [_side(trick.honest) for trick in tricks],
            "With it": [_side(trick.tricked) for trick in tricks],
            "Accuracy gained": [
                "–" if trick.gain_accuracy is None else f"{100 * trick.gain_accuracy:+.1f} points" for trick in tricks
            ],
        },
        hide_index=True,
    )


def _side(scores: Scores | None) -> str:
    return f"AUC {interval(scores.auc)}, n = {scores.n:,}" if scores else "not in this data"


def _render_claim(tricks: list[Trick], words: str) -> None:
    """The published claim beside what its protocol gives here."""
    deep = next(trick for trick in tricks if trick.name == "row_split_deep")
    if not deep.honest or not deep.tricked:
        return
    st.info(
        "**Why a claimed figure can mislead.** The work that this project follows claims 85% accuracy. Its protocol, "
        "run again on the real tables, gives 0.79 ± 0.02: the 1,409 complete rows shuffled, a deep model, the "
        "radiologist's assessment among its features. A lesion seen in both views is two rows that mostly read the "
        "same; shuffled, one is learnt and the other asked.  \n"
        f"**Here ({words}) that protocol gives {interval(deep.tricked.accuracy)}. The same trees on the same "
        f"{deep.honest.n:,} rows, with every patient on one side only, give {interval(deep.honest.accuracy)}.** "
        "The difference is memory, not skill: nobody's next patient is already in the training data.",
        icon=":material/query_stats:",
    )


def render_models(collection: Collection, words: str) -> None:
    st.markdown(
        "XGBoost beside a logistic regression, a random forest and a model that always says the majority: every "
        "feature set, every protocol, with and without the rows that were never called back, by row and by lesion."
    )
    ready = f"{state.NOTES_COMPARED}{collection.root}"
    if not st.session_state.get(ready) and not st.button(
        "Compare all models (about half a minute)", icon=":material/play_arrow:", type="primary",
        on_click=lambda: st.session_state.update({ready: True}),
    ):  # fmt: skip
        return
    result = notes_work.comparison(collection)
    with st.container(horizontal=True):
        words_of = {name: name.replace("_", " ") for name in PROTOCOLS}
        protocol = parts.one_of("Protocol", PROTOCOLS, key=state.NOTES_PROTOCOL, format_func=words_of.get)
        subset = parts.one_of("Rows", SUBSETS, key=state.NOTES_ROWS, format_func=SUBSETS.get)
        units = ["row"] if protocol == "row_split" else ["row", "lesion"]
        unit = parts.one_of("Count", units, key=f"{state.NOTES_UNIT}{len(units)}")
    rows = [row for row in result if (row.protocol, row.subset, row.unit) == (protocol, subset, unit)]
    figure, table = st.columns([1, 1.2], gap="large")
    with figure:
        alt = "AUC: " + ", ".join(f"{row.model} {row.features} {interval(row.scores.auc)}" for row in rows)
        parts.chart(charts_notes.models_figure(rows), "models", alt)
    with table:
        st.dataframe(_model_table(rows), hide_index=True, height=38 + 35 * len(rows))
        st.download_button(
            "Every figure (JSON)", lambda: json.dumps([row.to_json() for row in result], indent=1).encode(),
            "notes.json", "application/json", icon=":material/download:", on_click="ignore",
        )  # fmt: skip
    st.caption(
        f"n = {rows[0].scores.n:,} {unit}s, {PROTOCOL_WORDS[protocol]}, {words}. Patient-bootstrap 95% intervals; "
        "operating point 0.50. Intervals that overlap this much show no model to be better. "
        "`python -m lemons_core notes evaluate` prints the same."
    )


def _model_table(rows: Sequence[ModelScores]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model": row.model,
            "features": row.features,
            "AUC": interval(row.scores.auc),
            "accuracy": interval(row.scores.accuracy),
            "sensitivity": row.scores.sensitivity and row.scores.sensitivity.value,
            "specificity": row.scores.specificity and row.scores.specificity.value,
            "Brier": row.scores.brier,
            "ECE": row.scores.ece,
        }
        for row in rows
    ).round(3)
