"""What a chosen model says of single pictures: confusion, calibration, its best answers and its worst errors."""

from pathlib import Path

import streamlit as st

from lemons_core.base.errors import LemonsError
from lemons_core.base.terms import GROUPS
from lemons_core.charts import training as charts
from lemons_core.metrics.binary import ece, reliability, wilson
from lemons_core.ui.shell import jobs, parts, source
from lemons_core.ui.training import work as training_work
from lemons_core.ui.training.view import LABELS
from lemons_core.vision.record.predictions import NAMES, PredictionSet, confusion, read_predictions, said
from lemons_core.vision.record.runs import Run

SIMULATED, COLLECTION = "simulated tiles", "test split"
ASKED = "asked"  # session: what this visitor has asked for, so that a page change does not hide its progress
TILE_PX = 130  # six in a row on a desktop, two on a phone


@st.fragment
def render_answers(run: Run) -> None:
    if not run.card:
        st.info(
            "**No model yet.** It is written at the end of the first epoch that is kept.", icon=":material/hourglass:"
        )
        return
    data, crops, words = choose_pictures()
    place = training_work.answers_place(run, data, crops)
    answered = read_predictions(place) or ask(run, data, place)
    if answered is None:
        return
    counted = f"n = {answered.words}, {words}"
    left, right = st.columns(2, gap="large")
    with left:
        render_confusion(answered, counted)
    with right:
        render_calibration(answered, counted)
    render_best(answered, words)
    render_worst(answered, words)


def choose_pictures() -> tuple[Path | None, int, str]:
    """What the model is asked about: the folder of a collection or None, its crops, and whose pictures they are."""
    choices = [SIMULATED]
    seen = None
    with parts.guard():
        seen = source.overview()
        if seen.images["crop"]:
            choices.append(COLLECTION)
    chosen = st.segmented_control(
        "Pictures that the model has not seen",
        choices,
        default=SIMULATED,
        required=True,
        key="pictures",
        bind="query-params",
        help="Simulated tiles come from a seed of their own. The test split is that of the data in use, whole crops.",
    )
    if chosen == COLLECTION and seen:
        return source.data_root()[0], seen.images["crop"], parts.data_words(seen)
    return None, 0, "drawn by a program"


def ask(run: Run, data: Path | None, place: Path) -> PredictionSet | None:
    """The answers once they are there; before that what to do, or how far it is."""
    asked = st.session_state.setdefault(ASKED, set())
    offer = st.empty()
    if place not in asked:
        what = "the test split of the data in use" if data else f"{training_work.TILES} fresh simulated tiles"
        with offer.container():
            st.markdown(
                f"**This model has not been asked yet.** It will look at {what} and answer for each; that takes about "
                "half a minute on two free cores, in a process of its own. The answers are kept."
            )
            if not st.button("Ask the model", type="primary", icon=":material/quiz:"):
                return None
        asked.add(place)
    offer.empty()
    try:
        answered = jobs.wait_for(
            ("answers", str(place)),
            "Asking the model",
            lambda progress: training_work.ask_model(run, data, place, progress),
        )
    except LemonsError:
        asked.discard(place)  # so that the button is there again
        raise
    return answered


def render_confusion(answered: PredictionSet, counted: str) -> None:
    counts = confusion(answered)
    right, n = int(counts.trace()), int(counts.sum())
    low, high = wilson(right, n)
    share = f"{right / n:.0%} right ({low:.0%} to {high:.0%})" if n else "nothing to count"
    st.markdown(f"**What it said, one answer a picture: {share}**")
    alt = "; ".join(
        f"of {row.sum()} {name}: " + ", ".join(f"{k} {said_as}" for k, said_as in zip(row, NAMES, strict=True) if k)
        for name, row in zip(NAMES, counts, strict=True)
    )
    parts.chart(charts.confusion_figure(counts, NAMES), "confusion", f"Reference against answer: {alt}")
    st.caption(
        f"{counted}; counted here: {n:,} with one reference label. *None*: any calcification below 50%. "
        "Rows are the reference label, shares are of the row."
    )


def render_calibration(answered: PredictionSet, counted: str) -> None:
    st.markdown("**Does a stated probability come true?**")
    words = {LABELS[label]: label for label in LABELS if label in answered.labels}
    chosen = st.selectbox("Probability of", list(words), key="calibration", label_visibility="collapsed")
    reference, probabilities = answered.known(words[chosen])
    table = reliability(reference, probabilities)
    alt = "; ".join(f"stated {row.probability:.0%}, seen {row.share:.0%} of {row.n}" for row in table.itertuples())
    parts.chart(charts.reliability_figure(table, words[chosen]), "calibration_plot", f"Reliability: {alt}")
    st.caption(
        f"Mean distance of stated and seen share (ECE) {ece(reference, probabilities):.3f}. {counted}; known here: "
        f"{len(reference):,}. On the dashed line is perfect; larger dots hold more pictures; 95% intervals by Wilson."
    )


def render_best(answered: PredictionSet, words: str) -> None:
    st.subheader("Answered best, by group", anchor=False)
    st.caption(f"Pictures of this group alone, {words}, as the network sees them: grey against the grey around it.")
    columns = st.columns(2, gap="large")
    for place, group in enumerate(map(str, GROUPS)):
        with columns[place % 2]:
            st.html(parts.group_heading(group))
            with st.container(horizontal=True):
                for number in answered.best[group]:
                    p = answered.probabilities_of(number)[group]
                    render_tile(answered, number, f"{group} {p:.0%}")
            if not answered.best[group]:
                st.caption("None of these pictures holds this group alone.")


def render_worst(answered: PredictionSet, words: str) -> None:
    st.subheader("Worst errors", anchor=False)
    st.caption(
        f"Where a probability lay furthest from the reference label, worst first; {len(answered.worst)} of "
        f"{len(answered.probabilities):,} pictures, {words}."
    )
    with st.container(horizontal=True):
        for number in answered.worst:
            p = answered.probabilities_of(number)
            reference = " + ".join(answered.reference_of(number)) or "no calcification"
            top = max(map(str, GROUPS), key=p.__getitem__)
            words = f"{said(p)} (any {p['calcification']:.0%}, {top} {p[top]:.0%})"
            render_tile(answered, number, f"**Reference:** {reference}  \n**Said:** {words}")


def render_tile(answered: PredictionSet, number: int, words: str) -> None:
    """One picture above its words."""
    with st.container(width=TILE_PX, gap="xxsmall"):
        st.image(answered.folder / f"{number}.png", width=TILE_PX, alt=words.replace("*", "").replace("\n", " "))
        st.caption(words)
