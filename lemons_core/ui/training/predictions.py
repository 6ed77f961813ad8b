"""A model's predictions for single pictures: confusion, calibration, its best predictions and its worst errors."""

from pathlib import Path

import streamlit as st

from lemons_core.base.errors import LemonsError
from lemons_core.base.terms import GROUPS
from lemons_core.charts.notes import reliability_figure
from lemons_core.charts.training import LABEL_MARKS, confusion_figure
from lemons_core.metrics.binary import ece, reliability, wilson
from lemons_core.ui.shell import jobs, parts, source, state
from lemons_core.ui.training.view import LABELS
from lemons_core.vision.record import process
from lemons_core.vision.record.predictions import NAMES, PredictionSet, confusion, read_predictions, top_name
from lemons_core.vision.record.runs import Run

SIMULATED, COLLECTION = "simulated tiles", "test split"
TILE_PX = 130  # six in a row on a desktop, two on a phone


@st.fragment
def render_predictions(run: Run) -> None:
    if not run.card:
        st.info(
            "**No model yet.** It is written at the end of the first epoch that is kept.", icon=":material/hourglass:"
        )
        return
    data, crops, words = choose_pictures()
    folder = process.predictions_folder(run, data, crops)
    predictions = read_predictions(folder) or offer_predictions(run, data, folder)
    if predictions is None:
        return
    counted = f"n = {predictions.words}, {words}"
    left, right = st.columns(2, gap="large")
    with left:
        render_confusion(predictions, counted)
    with right:
        render_calibration(predictions, counted)
    render_best(predictions, words)
    render_worst(predictions, words)


def choose_pictures() -> tuple[str | None, int, str]:
    """What the model is asked about: the data in use by name or None, its crops, and whose pictures they are."""
    choices = [SIMULATED]
    seen = None
    with parts.guard():
        seen = source.overview()
        if seen.images["crop"]:
            choices.append(COLLECTION)
    chosen = parts.one_of(
        "Pictures that the model has not seen",
        choices,
        key="pictures",
        bind="query-params",
        help="Simulated tiles come from a seed of their own. The test split is that of the data in use, whole crops.",
    )
    if chosen == COLLECTION and seen:
        return source.data_in_use().name, seen.images["crop"], parts.data_words(seen)
    return None, 0, "drawn by a program"


def offer_predictions(run: Run, data: str | None, folder: Path) -> PredictionSet | None:
    """The predictions once they are there; before that what to do, or how far it is."""
    requested = st.session_state.setdefault(state.TRAINING_REQUESTED, set())
    offer = st.empty()
    if folder not in requested:
        what = "the test split of the data in use" if data else f"{process.TILES} fresh simulated tiles"
        with offer.container():
            st.markdown(
                f"**This model has not been asked yet.** It will look at {what} and answer for each; that takes about "
                "half a minute on two free cores, in a process of its own. The answers are kept."
            )
            if not st.button("Ask the model", type="primary", icon=":material/quiz:"):
                return None
        requested.add(folder)
    offer.empty()
    try:
        return jobs.wait_for(
            ("answers", str(folder)),
            "Asking the model",
            lambda progress: process.predict_examples(run, data, folder, progress=progress),
        )
    except LemonsError:
        requested.discard(folder)  # so that the button is there again
        raise


def render_confusion(predictions: PredictionSet, counted: str) -> None:
    counts = confusion(predictions)
    right, n = int(counts.trace()), int(counts.sum())
    low, high = wilson(right, n)
    share = f"{right / n:.0%} right ({low:.0%} to {high:.0%})" if n else "nothing to count"
    st.markdown(f"**What it said, one answer a picture: {share}**")
    alt = "; ".join(
        f"of {row.sum()} {name}: " + ", ".join(f"{k} {found}" for k, found in zip(row, NAMES, strict=True) if k)
        for name, row in zip(NAMES, counts, strict=True)
    )
    parts.chart(confusion_figure(counts, NAMES), "confusion", f"Reference against answer: {alt}")
    st.caption(
        f"{counted}; counted here: {n:,} with one reference label. *None*: any calcification below 50%. "
        "Rows are the reference label, shares are of the row."
    )


def render_calibration(predictions: PredictionSet, counted: str) -> None:
    st.markdown("**Does a stated probability come true?**")
    words = {LABELS[label]: label for label in LABELS if label in predictions.labels}
    chosen = st.selectbox("Probability of", list(words), key=state.TRAINING_CALIBRATION, label_visibility="collapsed")
    reference, probabilities = predictions.known(words[chosen])
    table = reliability(reference, probabilities)
    alt = "; ".join(f"stated {row.probability:.0%}, seen {row.share:.0%} of {row.n}" for row in table.itertuples())
    figure = reliability_figure(table, seen="share seen", colour=LABEL_MARKS[words[chosen]].colour)
    parts.chart(figure, "calibration_plot", f"Reliability: {alt}")
    st.caption(
        f"Mean distance of stated and seen share (ECE) {ece(reference, probabilities):.3f}. {counted}; known here: "
        f"{len(reference):,}. On the dashed line is perfect; larger dots hold more pictures; 95% intervals by Wilson."
    )


def render_best(predictions: PredictionSet, words: str) -> None:
    st.subheader("Answered best, by group", anchor=False)
    st.caption(f"Pictures of this group alone, {words}, as the network sees them: grey against the grey around it.")
    columns = st.columns(2, gap="large")
    for index, group in enumerate(map(str, GROUPS)):
        with columns[index % 2]:
            st.html(parts.group_heading(group))
            with st.container(horizontal=True):
                for number in predictions.best[group]:
                    p = predictions.probabilities_of(number)[group]
                    render_tile(predictions, number, f"{group} {p:.0%}")
            if not predictions.best[group]:
                st.caption("None of these pictures holds this group alone.")


def render_worst(predictions: PredictionSet, words: str) -> None:
    st.subheader("Worst errors", anchor=False)
    st.caption(
        f"Where a probability lay furthest from the reference label, worst first; {len(predictions.worst)} of "
        f"{len(predictions.probabilities):,} pictures, {words}."
    )
    with st.container(horizontal=True):
        for number in predictions.worst:
            p = predictions.probabilities_of(number)
            reference = " + ".join(predictions.reference_of(number)) or "no calcification"
            top = max(map(str, GROUPS), key=p.__getitem__)
            words = f"{top_name(p)} (any {p['calcification']:.0%}, {top} {p[top]:.0%})"
            render_tile(predictions, number, f"**Reference:** {reference}  \n**Said:** {words}")


def render_tile(predictions: PredictionSet, number: int, words: str) -> None:
    """One picture above its words."""
    with st.container(width=TILE_PX, gap="xxsmall"):
        st.image(predictions.folder / f"{number}.png", width=TILE_PX, alt=words.replace("*", "").replace("\n", " "))
        st.caption(words)
