"""The runs on the page of the training: which one, how good, their curves, recipes and cards."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from lemons_core.charts import training as charts
from lemons_core.charts.training import LABEL_MARKS, RUN_MARKS, Line, LineMark
from lemons_core.ui.shell import parts, state
from lemons_core.vision.record.card import ModelCard
from lemons_core.vision.record.recipe import SETTING_WORDS
from lemons_core.vision.record.runs import GROUP_MEAN, SHIPPED, Run, auc_of, recipe_differences

LABELS = {label: "any calcification" if label == "calcification" else label for label in LABEL_MARKS}
STATE_WORDS = {
    "running": ("running", ":material/play_circle:", "green"),
    "stopped": ("stopped", ":material/pause_circle:", "orange"),
    "finished": ("finished", ":material/check_circle:", "gray"),
    "failed": ("failed", ":material/error:", "red"),
}


def choose_runs(runs: Sequence[Run]) -> list[Run]:
    """The run to look at, then those to compare it with; both live in the address."""
    by_key = {run.key: run for run in runs}
    first, others = st.columns([1, 1.6], gap="medium")
    with first:
        chosen = st.selectbox("Run", list(by_key), key="run", bind="query-params")
    with others:
        rest = [key for key in by_key if key != chosen]
        compared = st.multiselect(
            "Compare with",
            rest,
            key="with",
            bind="query-params",
            max_selections=len(RUN_MARKS) - 1,
            placeholder="other runs" if rest else "no other run yet: start one below, under Train",
            disabled=not rest,
        )
    return [by_key[key] for key in (chosen, *compared) if key in by_key]


def render_state(run: Run) -> None:
    """One line: state, how far, from what it learns."""
    word, icon, colour = STATE_WORDS[run.state]
    far = f", {len(run.history)} of {run.epochs} epochs" if run.history and run.epochs else ""
    name = "The model that comes with the app" if run.key == SHIPPED else f"Run {parts.plain(run.key)}"
    data = "simulated tiles" if run.data == "simulated" else parts.plain(run.data)
    st.markdown(f":{colour}-badge[{icon} {word}] **{name}**{far}; learns from {data}.")
    if run.fault:
        st.warning(parts.plain(run.fault), icon=":material/error:")


def render_answer(run: Run) -> None:
    """How good it is: the AUC of each label with its interval, n and source."""
    if not run.measured:
        st.info(
            "**Not measured yet.** The first figures come at the end of the first epoch."
            if run.state == "running"
            else "**Not measured.** This run ended before the end of its first epoch.",
            icon=":material/hourglass_empty:",
        )
        return
    name, figures = run.measured
    st.markdown(f"**AUC with 95% intervals**, {source_words(run, name, figures)}")
    columns = st.container(key="figures").columns(len(LABELS))
    for column, (label, words) in zip(columns, LABELS.items(), strict=True):
        found = auc_of(figures, label)
        value, interval = (f"{found[0]:.3f}", f"{found[1]:.3f} to {found[2]:.3f}") if found else ("–", "not measured")
        column.metric(words.capitalize(), value, interval, delta_color="off", delta_arrow="off", border=True)
    st.caption("Area under the ROC curve: how often a picture with it scores higher than one without; 0.5 is chance.")


def source_words(run: Run, name: str, figures: dict[str, Any]) -> str:
    """n, what it was measured on, and whether that is simulated."""
    drawn = run.card.simulated if run.card else run.data == "simulated"
    what = {
        "held_out": "held-out pictures",
        "validation": "validation pictures, which also chose the best epoch",
        "test": "pictures of the official test split",
    }.get(name, parts.plain(name.replace("_", " ")))
    return f"n = {figures.get('n', 0):,} {'simulated ' if drawn else ''}{what}"


def key_of(marks: Sequence[tuple[str, LineMark]]) -> None:
    """The key of a figure: every name behind the colour and the symbol of its line."""
    spans = "".join(f'<span><b style="color:{mark.colour}">{mark.letter}</b>{name}</span>' for name, mark in marks)
    st.html(f'<div class="key">{spans}</div>')


def render_curves(runs: Sequence[Run]) -> None:
    """Loss and validation AUC by epoch: of one run every label, of several runs one label."""
    shown = [(run, mark) for run, mark in zip(runs, RUN_MARKS, strict=False) if run.history]
    if not shown:
        st.info(
            "**No curve.** Only the card of this model is kept, not its epochs. Start a run under Train, or choose "
            "another one above.",
            icon=":material/show_chart:",
        )
        return
    left, right = st.columns(2, gap="large")
    with left:
        render_loss(shown)
    with right:
        render_auc(shown, alone=len(runs) == 1)
    counted = ", ".join(
        f"{parts.plain(run.key)} n = {run.history[-1].get('validation', {}).get('n', 0):,}" for run, _ in shown
    )
    st.caption(f"Validation pictures: {counted}. They choose the best epoch; held-out figures are fairer.")


def render_loss(shown: Sequence[tuple[Run, LineMark]]) -> None:
    st.markdown("**Loss in training, lower is better**")
    lines = [
        Line(run.key, mark, [row["epoch"] for row in run.history], [row.get("loss") for row in run.history])
        for run, mark in shown
    ]
    parts.chart(charts.lines_figure(lines, "loss"), "loss", _alt("Loss", lines))
    key_of([(parts.plain(run.key), mark) for run, mark in shown])


def render_auc(shown: Sequence[tuple[Run, LineMark]], *, alone: bool) -> None:
    """alone : of one run every label, else of every run the label that is chosen here"""
    if alone:
        st.markdown("**AUC on validation pictures, higher is better**")
        lines = [_auc_line(shown[0][0], label, mark, LABELS[label]) for label, mark in LABEL_MARKS.items()]
    else:
        choices = {GROUP_MEAN: GROUP_MEAN} | {words: label for label, words in LABELS.items()}
        chosen = st.selectbox("AUC on validation pictures of", list(choices), key=state.TRAINING_CURVE)
        lines = [_auc_line(run, choices[chosen], mark, run.key) for run, mark in shown]
    parts.chart(charts.lines_figure(lines, "AUC", floor=0.5), "auc", _alt("AUC", lines))
    key_of([(line.name, line.mark) for line in lines])


def _auc_line(run: Run, label: str, mark: LineMark, name: str) -> Line:
    found = [auc_of(row.get("validation") or {}, label) for row in run.history]
    return Line(name, mark, [row["epoch"] for row in run.history], [auc[0] if auc else None for auc in found])


def _alt(what: str, lines: Sequence[Line]) -> str:
    return "; ".join(
        f"{what} of {line.name}: "
        + ", ".join(f"epoch {x:g} {y:.3f}" for x, y in zip(line.x, line.y, strict=True) if y is not None)
        for line in lines
    )


def render_comparison(runs: Sequence[Run]) -> None:
    """The figures of several runs side by side, and what differs in their recipes."""
    if len(runs) < 2:
        return
    st.markdown("**Figures side by side**")
    rows: dict[str, list[str]] = {"AUC": [*LABELS.values(), GROUP_MEAN, "n", "measured on"]}
    for run in runs:
        name, figures = run.measured or ("", {})
        cells = [_interval(auc_of(figures, label)) for label in (*LABELS, GROUP_MEAN)]
        rows[parts.plain(run.key)] = [*cells, f"{figures.get('n', 0):,}", _measured_on(run, name)]
    st.table(rows, hide_index=True)
    differences = recipe_differences(runs)
    if differences:
        st.markdown("**What differs in their recipes**")
        table = {"Setting": list(map(_setting_words, differences))}
        for index, run in enumerate(runs):
            table[parts.plain(run.key)] = [_value(values[index]) for values in differences.values()]
        st.table(table, hide_index=True)
    else:
        st.caption("Their recipes are the same, as far as they are written down.")
    st.caption("Runs that were measured on other pictures, or on fewer, cannot be ranked by small differences.")


def _measured_on(run: Run, name: str) -> str:
    drawn = run.card.simulated if run.card else run.data == "simulated"
    return f"{'simulated, ' if drawn else ''}{name.replace('_', ' ')}" if name else "not measured"


def _interval(auc: list[float] | None) -> str:
    if not auc:
        return "–"
    return f"{auc[0]:.3f} ({auc[1]:.3f} to {auc[2]:.3f})" if len(auc) > 2 else f"{auc[0]:.3f}"


def _setting_words(name: str) -> str:
    return SETTING_WORDS.get(name, name.replace("_", " "))  # a record may be of another version


def _value(value: Any) -> str:
    if value is None:
        return "not stated"
    return f"{value:g}" if isinstance(value, float) else parts.plain(value)


def render_cards(runs: Sequence[Run]) -> None:
    for run in runs:
        if not run.card:
            continue
        with st.expander(f"Model card: {parts.plain(run.key)}", expanded=len(runs) == 1):
            render_card(run, run.card)


def render_card(run: Run, card: ModelCard) -> None:
    """A model card in words: what, how well, how it was made, where it ends."""
    left, right = st.columns(2, gap="large")
    with left:
        parts.render_model(card)
    with right:
        rows = {_setting_words(name): _value(value) for name, value in run.recipe.items()}
        rows |= {
            "made on": card.created or "not stated",
            "best epoch": _value(card.training.get("best_epoch")),
            "reads": f"{card.spacing_mm:g} mm a pixel, tiles of {card.tile_px * card.spacing_mm:g} mm",
        }
        temperatures = ", ".join(f"{LABELS.get(label, label)} {value:.2f}" for label, value in card.temperature.items())
        bands = ", ".join(
            f"{LABELS.get(label, label)} {low:.0%} to {high:.0%}" for label, (low, high) in card.abstain.items()
        )
        # After a short run too few detections are on calcium to fit anything.
        fitted = card.detection_platt != (1.0, 0.0)
        views = card.training.get("detection_platt", {}).get("views") if fitted else None
        rows |= {
            "temperature": temperatures or "none",
            "not sure between": bands or "no band",
            "places in views": f"calibrated on {views} simulated views" if views else "not calibrated",
        }
        st.table({"Recipe": list(rows), "Value": [parts.plain(value) for value in rows.values()]}, hide_index=True)
