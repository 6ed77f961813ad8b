"""A short training run from the page: its few settings, and the run that is going on."""

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from lemons_core.base.errors import LemonsError
from lemons_core.ui.shell import parts, state
from lemons_core.ui.training import view as training_view
from lemons_core.vision.record import process
from lemons_core.vision.record.process import RunRequest
from lemons_core.vision.record.recipe import SETTING_WORDS
from lemons_core.vision.record.runs import Run, log_of, read_run

STANDARD = RunRequest()
STARTS = {"the shipped model": "shipped", "nothing learnt": "scratch"}
EVERY_SECONDS = 2
ABOUT_TILES_A_SECOND = 12  # of two cores, when nothing was measured here before


def render_train(runs: Sequence[Run]) -> None:
    fault = st.session_state.pop(state.TRAINING_FAULT, None)
    if fault:
        parts.show_error(fault)
    busy = process.running(runs)
    if busy:
        st.fragment(render_busy, run_every=EVERY_SECONDS)(busy)
        return
    left, right = st.columns([1.1, 1], gap="large")
    with left:
        render_form(runs)
    with right:
        render_others(runs)


def render_form(runs: Sequence[Run]) -> None:
    """The settings of a new run, and how long it will take."""
    st.markdown(
        "**Start a short run** on simulated tiles, drawn anew for every epoch. It works in a process of its own: "
        "leave the page, or close the app, and it goes on. One run at a time."
    )
    with st.container(border=True):
        init = parts.one_of("Start from", STARTS, key=state.TRAINING_RUN + "init")
        left, right = st.columns(2)
        epochs = left.slider(
            _label("epochs"),
            1,
            20,
            STANDARD.epochs,
            key=state.TRAINING_RUN + "epochs",
            help="How often it is measured, at the end of each.",
        )
        tiles = right.select_slider(
            _label("tiles"), [64, 128, 256, 512, 1024, 2048, 4096], STANDARD.tiles, key=state.TRAINING_RUN + "tiles"
        )
        rate = left.select_slider(
            _label("learning_rate"),
            [1e-4, 3e-4, 1e-3, 3e-3],
            STANDARD.learning_rate,
            key=state.TRAINING_RUN + "rate",
            format_func=lambda value: f"{value:g}",
            help="The size of its steps. From scratch 0.001 is a good start; a trained model wants less.",
        )
        batch = right.select_slider(_label("batch"), [8, 16, 32, 64], STANDARD.batch, key=state.TRAINING_RUN + "batch")
        request = RunRequest(epochs, tiles, STARTS[init], rate, batch)
        st.button("Start training", type="primary", icon=":material/play_arrow:", on_click=_start, args=(request,))
    speed, where = speed_of(runs)
    st.caption(
        f"{epochs * tiles:,} tiles, {duration(epochs * tiles / speed)} or so at {speed:.0f} tiles a second ({where}), "
        "and a few minutes more to measure it. Short runs show how learning goes; docs/training.md is for long ones."
    )


def render_others(runs: Sequence[Run]) -> None:
    """Runs that can go on, newest first, each with the end of its log."""
    open_ends = [run for run in runs if run.state in ("stopped", "failed")]
    if not open_ends:
        st.caption("No run was stopped half-way. One that is stopped, or killed, is listed here and can go on.")
        return
    st.markdown("**Not finished**")
    for run in open_ends[:6]:
        with st.container(border=True):
            training_view.render_state(run)
            if run.epochs:
                st.progress(run.done, f"{run.done:.0%} of {run.epochs} epochs")
            if run.launch:
                st.button("Resume", key=f"resume-{run.key}", icon=":material/resume:", on_click=_resume, args=(run,))
            else:
                st.caption("Started in a terminal: give the same command again there, and it goes on.")
            render_log(run)


def render_busy(run: Run) -> None:
    """The run that is going on: how far, how fast, its curve; read anew every two seconds."""
    run = read_run(run.folder, key=run.key)
    if run.state != "running":
        st.rerun()  # the whole page: its figures and its buttons are others now
    training_view.render_state(run)
    step = f", step {run.record['step']:,} of {run.record['steps']:,}" if run.record.get("step") else ""
    epoch = min(len(run.history) + 1, run.epochs or 1)
    if run.stopping:
        text = "Stopping after the present step"
    elif not run.record:
        text = "Starting: loading the learning library"
    elif run.done >= 1:
        text = "All steps done; measuring how good it is"
    else:
        text = f"Epoch {epoch} of {run.epochs}{step}"
    st.progress(run.done, text)
    st.markdown(" · ".join(_facts(run)))
    st.button(
        "Stop",
        icon=":material/stop:",
        disabled=run.stopping,
        on_click=process.stop_run,
        args=(run,),
        help="Ends after the present step and keeps what was learnt; it can be resumed.",
    )
    if run.history:
        training_view.render_curves([run])
    else:
        st.caption("The curves begin at the end of the first epoch. You may leave this page; the run goes on.")
    render_log(run)


def _facts(run: Run) -> list[str]:
    """Time and speed, as far as they are known."""
    speed, loss, left = run.record.get("images_per_second"), run.record.get("loss"), run.seconds_left
    facts = [f"**{duration(_elapsed(run))}** so far"]
    if left and not run.stopping:
        facts.append(f"about **{duration(left)}** left, then it is measured")
    if speed:
        facts.append(f"**{speed:.1f}** images/s")
    if loss is not None:
        facts.append(f"loss **{loss:.3f}**")
    return facts


def render_log(run: Run) -> None:
    text = log_of(run)
    if text:
        with st.expander("What the process said last"):
            st.code(text, language=None, wrap_lines=True)


def speed_of(runs: Sequence[Run]) -> tuple[float, str]:
    """Tiles a second on this machine, and how that is known."""
    for run in runs:
        known = [line["images_per_second"] for line in run.history if line.get("images_per_second")]
        if known and run.launch:
            return max(float(known[-1]), 0.1), f"measured in {parts.plain(run.key)}"
    return ABOUT_TILES_A_SECOND, "a guess for two cores"


def duration(seconds: float) -> str:
    """Seconds in words, such as "1 min 20 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _elapsed(run: Run) -> float:
    try:
        began = datetime.fromisoformat(str((run.launch or run.record)["started"]))
    except (KeyError, ValueError):
        return 0.0
    return max((datetime.now(UTC) - began.replace(tzinfo=began.tzinfo or UTC)).total_seconds(), 0.0)


def _label(setting: str) -> str:
    return SETTING_WORDS[setting].capitalize()


def _start(request: RunRequest) -> None:
    try:
        st.session_state["run"] = process.start_run(request).name
    except LemonsError as error:
        st.session_state[state.TRAINING_FAULT] = error


def _resume(run: Run) -> None:
    try:
        process.resume_run(run)
    except LemonsError as error:
        st.session_state[state.TRAINING_FAULT] = error
