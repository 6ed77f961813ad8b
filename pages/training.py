"""Training: how the image model learns, how good each run is, and what it is taught with."""

import streamlit as st

from lemons_core.ui.shell import parts
from lemons_core.ui.shell.navigation import enter
from lemons_core.ui.training import predictions, simulator, start, view
from lemons_core.vision.record.process import running
from lemons_core.vision.record.runs import Run, find_runs

TABS = ("Runs", "Answers", "Simulator", "Train")


def render_tabs(runs: list[Run], chosen: list[Run]) -> None:
    tabs = dict(zip(TABS, st.tabs(TABS, key="show", bind="query-params"), strict=True))
    draw = {
        "Runs": lambda: render_runs(chosen),
        "Answers": lambda: predictions.render_predictions(chosen[0]),
        "Simulator": simulator.render_simulator,
        "Train": lambda: start.render_train(runs),
    }
    for name, tab in tabs.items():
        if tab.open:
            with tab, parts.guard():
                draw[name]()


def render_runs(chosen: list[Run]) -> None:
    view.render_curves(chosen)
    view.render_comparison(chosen)
    view.render_cards(chosen)


enter(__file__)
parts.page_title(
    "Training",
    "How the image model learns, how good each run is, what it gets wrong and what it is taught with.",
    predicts=True,
)
with parts.guard():
    runs = find_runs()
    chosen = view.choose_runs(runs)
    view.render_state(chosen[0])
    view.render_answer(chosen[0])
    busy = running(runs)
    if busy and busy is not chosen[0]:
        st.caption(f":material/play_circle: Run {parts.plain(busy.key)} is going on, {busy.done:.0%} done: see Train.")
    render_tabs(runs, chosen)
