"""The tabs of the page of the notes: how good, why, the leakage lab, all models."""

import json
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lemons_core.charts import notes as charts_notes
from lemons_core.dataset.collection import Collection
from lemons_core.metrics.binary import score
from lemons_core.notes.evaluate import PROTOCOLS
from lemons_core.notes.explain import DESCRIPTOR_WORDS, column_words
from lemons_core.notes.leakage import Trick
from lemons_core.ui.notes import work as notes_work
from lemons_core.ui.notes.work import Board
from lemons_core.ui.shell import parts

SUBSETS = {"all": "all", "without_bwc": "without rows never called back"}
PROTOCOL_WORDS = {
    "official": "official test split, settings from training alone",
    "grouped_cv": "training split, five folds by patient",
    "row_split": "rows shuffled: too good, see the leakage lab",
}


def triple(figure: Any) -> str:
    """A figure with its interval, in words."""
    return "not defined" if figure is None else f"{figure[0]:.3f} ({figure[1]:.3f} to {figure[2]:.3f})"


def counted(board: Board, words: str) -> str:
    """n, what was scored and of which data, for the line under a figure."""
    figures = board.cuts[0]
    return f"n = {figures['n']:,} rows of {figures['patients']:,} patients, {PROTOCOL_WORDS[board.protocol]}, {words}"


def render_card(column: DeltaGenerator, name: str, figures: dict[str, Any]) -> None:
    """One figure of metrics.score as a card, its interval below."""
    figure = figures[name]
    if name in ("sensitivity", "specificity") and figure is not None:
        figure = [figure, *figures[f"{name}_interval"]]
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
        key="threshold",
    )
    point = board.curve[board.curve["threshold"] >= threshold].iloc[-1]
    figures = score(
        board.labels, board.probabilities, board.rows["patient_id"], threshold=threshold, replicates=400
    ).to_json()
    with st.container(key="figures_at"):
        columns = st.columns(4)
    for column, name in zip(columns, ("sensitivity", "specificity", "accuracy"), strict=False):
        render_card(column, name, figures)
    called = int(point["tp"] + point["fp"])
    found = f"{int(point['tp']):,} of them malignant"
    columns[3].metric("Called malignant", f"{called:,}", found, delta_color="off", delta_arrow="off", border=True)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(f"**ROC: AUC {triple(board.cuts[0]['auc'])}**")
        alt = f"ROC curve; at {threshold:.0%}: " + ", ".join(
            f"{name} {point[name]:.0%}" for name in ("sensitivity", "specificity")
        )
        parts.chart(charts_notes.roc_figure(board.curve, point), "roc", alt)
    with right:
        st.markdown(f"**Precision: average {triple(board.cuts[0]['average_precision'])}**")
        alt = f"Precision-recall curve; at {threshold:.0%}: precision {point['precision']:.0%}"
        parts.chart(charts_notes.precision_figure(board.curve, point), "precision", alt)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(f"**Calibration: ECE {figures['ece']:.3f}, Brier {figures['brier']:.3f}**")
        bins = board.reliability.itertuples()
        alt = "; ".join(f"stated {row.probability:.0%}, seen {row.share:.0%} of {row.n}" for row in bins)
        parts.chart(charts_notes.reliability_figure(board.reliability), "reliability", f"Reliability: {alt}")
    with right:
        st.markdown(f"**Right and wrong at {threshold:.0%}**")
        alt = ", ".join(f"{name} {int(point[name])}" for name in ("tp", "fn", "fp", "tn"))
        parts.chart(charts_notes.confusion_figure(point), "confusion", f"Confusion at {threshold:.0%}: {alt}")
    st.caption(
        f"{counted(board, words)}. Red dot: the operating point. Dashed: guessing (ROC, precision) or perfect "
        "calibration. Larger dots hold more rows. Intervals are 95%: of whole patients drawn anew, in the calibration "
        "plot Wilson's. With so few rows even a perfect model has an ECE of about 0.03."
    )
    st.markdown("**The same model, other ways to count**")
    st.table(
        {
            "Counted": [f"{cut['unit']}s, {SUBSETS[cut['subset']]}" for cut in board.cuts],
            "n": [f"{cut['n']:,}" for cut in board.cuts],
            "AUC": [triple(cut["auc"]) for cut in board.cuts],
            "Accuracy": [triple(cut["accuracy"]) for cut in board.cuts],
            "ECE": [f"{cut['ece']:.3f}" for cut in board.cuts],
        },
        hide_index=True,
    )
    st.caption(
        "A lesion takes both its views together. Rows that were never called back are the easy ones: without them the "
        f"figures fall. {words.capitalize()}."
    )


def render_reasons(collection: Collection, board: Board, words: str) -> None:
    why = notes_work.reasons(collection, board)
    note = f"{counted(board, words)}."
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**What the AUC loses without it**")
        names = [DESCRIPTOR_WORDS[name] for name in why.permutation["descriptor"]]
        losses = why.permutation["loss"]
        parts.chart(
            charts_notes.bars_figure(
                names, losses, "AUC lost", low=why.permutation["low"], high=why.permutation["high"]
            ),
            "permutation",
            "AUC lost: " + ", ".join(f"{name} {loss:.3f}" for name, loss in zip(names, losses, strict=True)),
        )
        st.caption(
            f"Permutation: one descriptor shuffled among the scored rows, 20 times; bars span 5-95% of these. {note}"
        )
    with right:
        st.markdown("**What the trees split on**")
        names = [DESCRIPTOR_WORDS[name] for name in why.gain["descriptor"]]
        parts.chart(
            charts_notes.bars_figure(names, 100 * why.gain["share"], "share of total gain", unit="%"),
            "gain",
            "Gain: " + ", ".join(f"{n} {share:.0%}" for n, share in zip(names, why.gain["share"], strict=True)),
        )
        st.caption(
            "Gain in training: it tells what the model used, not what helps on new patients. "
            f"n = {board.model.card['rows']:,} training rows, {parts.plain(board.model.card['trained_on'])}."
        )
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**How far each word moved each row**")
        names_of = board.model.vectoriser.names
        size = abs(why.shap).mean(axis=0)
        top = sorted(zip(size, names_of, strict=True), reverse=True)[:10]
        alt = "Mean absolute SHAP values: " + ", ".join(f"{column_words(name)} {value:.2f}" for value, name in top)
        parts.chart(charts_notes.shap_figure(why.shap, why.matrix, names_of), "shap", alt)
        st.caption(
            "SHAP values before calibration; to the right is towards malignant. A larger dot holds more rows. Full: "
            f"present or high; pale: absent or low. {note}"
        )
    with right:
        st.markdown("**The mean answer, were every row the same in**")
        chosen = st.segmented_control(
            "Descriptor",
            list(why.dependence),
            default=next(iter(why.dependence)),
            required=True,
            key="descriptor",
            format_func=lambda name: DESCRIPTOR_WORDS[name],
            wrap=True,
            label_visibility="collapsed",
        )
        table = why.dependence[chosen]
        alt = ", ".join(f"{row.words} {row.probability:.0%}" for row in table.itertuples())
        parts.chart(charts_notes.dependence_figure(table, list(table["n"])), "dependence", f"Mean probability: {alt}")
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
    figure, told = st.columns([1.2, 1], gap="large")
    with figure:
        alt = "; ".join(f"{t.title}: {t.gain_auc:+.3f} AUC" for t in tricks if t.gain_auc is not None)
        parts.chart(charts_notes.lab_figure(tricks), "lab", alt)
        st.caption(f"AUC with patient-bootstrap 95% intervals, {words}; n in the table below.")
    with told:
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


def _side(figures: dict[str, Any] | None) -> str:
    return "not in this data" if not figures else f"AUC {triple(figures['auc'])}, n = {figures['n']:,}"


def _render_claim(tricks: list[Trick], words: str) -> None:
    """The published claim beside what its protocol gives here."""
    deep = next(trick for trick in tricks if trick.name == "row_split_deep")
    if not deep.honest or not deep.tricked:
        return
    shuffled, kept = deep.tricked["accuracy"], deep.honest["accuracy"]
    st.info(
        "**Why a claimed figure can mislead.** The work that this project follows claims 85% accuracy. Its protocol, "
        "run again on the real tables, gives 0.79 ± 0.02: the 1,409 complete rows shuffled, a deep model, the "
        "radiologist's assessment among its features. A lesion seen in both views is two rows that mostly read the "
        "same; shuffled, one is learnt and the other asked.  \n"
        f"**Here ({words}) that protocol gives {triple(shuffled)}. The same trees on the same "
        f"{deep.honest['n']:,} rows, with every patient on one side only, give {triple(kept)}.** The difference is "
        "memory, not skill: nobody's next patient is already in the training data.",
        icon=":material/query_stats:",
    )


def render_models(collection: Collection, words: str) -> None:
    st.markdown(
        "XGBoost beside a logistic regression, a random forest and a model that always says the majority: every "
        "feature set, every protocol, with and without the rows that were never called back, by row and by lesion."
    )
    ready = f"compared-{collection.root}"
    if not st.session_state.get(ready) and not st.button(
        "Compare all models (about half a minute)", icon=":material/play_arrow:", type="primary",
        on_click=lambda: st.session_state.update({ready: True}),
    ):  # fmt: skip
        return
    result = notes_work.comparison(collection)
    with st.container(horizontal=True):
        protocol = st.segmented_control(
            "Protocol", PROTOCOLS, default="official", required=True, key="protocol",
            format_func=lambda name: name.replace("_", " "),
        )  # fmt: skip
        subset = st.segmented_control(
            "Rows", list(SUBSETS), default="all", required=True, key="subset", format_func=lambda name: SUBSETS[name]
        )
        units = ["row"] if protocol == "row_split" else ["row", "lesion"]
        unit = st.segmented_control("Count", units, default="row", required=True, key=f"unit-{len(units)}")
    rows = [r for r in result if (r["protocol"], r["subset"], r["unit"]) == (protocol, subset, unit)]
    figure, table = st.columns([1, 1.2], gap="large")
    with figure:
        alt = "AUC: " + ", ".join(f"{r['model']} {r['features']} {triple(r['auc'])}" for r in rows)
        parts.chart(charts_notes.models_figure(rows), "models", alt)
    with table:
        st.dataframe(
            pd.DataFrame(
                {
                    "model": [r["model"] for r in rows],
                    "features": [r["features"] for r in rows],
                    "AUC": [triple(r["auc"]) for r in rows],
                    "accuracy": [triple(r["accuracy"]) for r in rows],
                    "sensitivity": [r["sensitivity"] for r in rows],
                    "specificity": [r["specificity"] for r in rows],
                    "Brier": [r["brier"] for r in rows],
                    "ECE": [r["ece"] for r in rows],
                }
            ).round(3),
            hide_index=True,
            height=38 + 35 * len(rows),
        )
        st.download_button(
            "Every figure (JSON)", lambda: json.dumps(result, indent=1).encode(), "notes.json", "application/json",
            icon=":material/download:", on_click="ignore",
        )  # fmt: skip
    st.caption(
        f"n = {rows[0]['n']:,} {unit}s, {PROTOCOL_WORDS[protocol]}, {words}. Patient-bootstrap 95% intervals; "
        "operating point 0.50. Intervals that overlap this much show no model to be better. "
        "`python -m lemons_core notes evaluate` prints the same."
    )
