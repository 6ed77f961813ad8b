"""Parts of the page of the notes: asking, and what the answer is made of."""

import html
from collections import Counter
from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lemons_core.base.colours import LEMON, NEUTRAL, rgba
from lemons_core.base.errors import LemonsError
from lemons_core.base.terms import DISTRIBUTION, MORPHOLOGY, display
from lemons_core.charts import notes as charts_notes
from lemons_core.dataset.explore import PATHOLOGIES
from lemons_core.notes.ask import READ, Answer, ask
from lemons_core.notes.explain import DESCRIPTOR_WORDS, same_words, similar_cases
from lemons_core.notes.model import NoteModel
from lemons_core.notes.parsing.parse import Parsed, Reading, parse_note
from lemons_core.notes.text import Features, Note, build_note
from lemons_core.ui.shell import parts

EXAMPLES = {
    "suspicious": "Segmental fine pleomorphic calcifications, no skin calcifications. Dense breast, BI-RADS 4C.",
    "benign": "Scattered round calcifications with lucent centers, BI-RADS 2.",
    "between": "A cluster of amorphous microcalcs, seen on MLO only; heterogeneously dense, BI-RADS 4A.",
}
_FIELDS = {"morphology": "type", "laterality": "side"}
_GRADES: dict[str, tuple[str, tuple[int | str, ...]]] = {
    "assessment": ("BI-RADS category", (0, 1, 2, 3, 4, 5)),
    "breast_density": ("Breast density", (1, 2, 3, 4)),
    "subtlety": ("Subtlety (1 hard to see, 5 obvious)", (1, 2, 3, 4, 5)),
    "view": ("View", ("CC", "MLO")),
}


def choose_note(features: Features) -> str | Note:
    """What the visitor writes or chooses."""
    way = st.segmented_control(
        "Describe a finding",
        ["free text", "by choice"],
        default="free text",
        required=True,
        key="way",
        bind="query-params",
    )
    if way == "free text":
        return _write_note()
    morphology = st.multiselect(
        "Type", MORPHOLOGY, ["PLEOMORPHIC"], format_func=display, key="morphology", persist_state="session"
    )
    distribution = st.multiselect(
        "Distribution", DISTRIBUTION, ["CLUSTERED"], format_func=display, key="distribution", persist_state="session"
    )
    grades: dict[str, int | str | None] = {}
    left, right = st.columns(2)
    for place, name in enumerate(name for name in _GRADES if name in READ[features]):
        label, values = _GRADES[name]
        grades[name] = (right if place % 2 else left).selectbox(
            label, values, index=None, placeholder="not given", key=f"choose-{name}", persist_state="session"
        )
    return build_note(morphology, distribution, **grades)


def _write_note() -> str:
    st.session_state.setdefault("note", EXAMPLES["suspicious"])
    text = st.text_area(
        "The note", key="note", height=110, persist_state="session", placeholder="grouped amorphous calcifications"
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Read the note", type="primary", icon=":material/ink_highlighter:")
        for name, example in EXAMPLES.items():
            st.button(name, on_click=_use_example, args=(example,), type="tertiary", key=f"example-{name}")
    return str(text)


def _use_example(text: str) -> None:
    st.session_state["note"] = text


def render_note(
    question: str | Note, features: Features, model_of: Callable[[Features], NoteModel], side: DeltaGenerator
) -> Answer | None:
    """How a text was read, here; the probability, in `side`. None when there is none to give."""
    if isinstance(question, str):
        parsed = parse_note(question)
        render_reading(parsed)
    with side:
        try:
            answer = ask(question, features=features, model_of=model_of)
        except LemonsError as error:
            todo = parts.plain(error.todo)
            st.info(f"**No probability.** {parts.plain(error.what)}. {todo}", icon=":material/block:")
            return None
        _render_probability(answer)
    return answer


def render_reading(parsed: Parsed) -> None:
    """The text with its descriptors marked and named, and what was not understood."""
    st.html(marked(parsed))
    words = list(dict.fromkeys(reading.text for reading in parsed.unknown))
    if words:
        shown = ", ".join(f"“{parts.plain(word[:30])}”" for word in words[:12])
        more = f" and {len(words) - 12:,} more" if len(words) > 12 else ""
        st.caption(f"Not understood: {shown}{more}.")


def marked(parsed: Parsed) -> str:
    """HTML: the text, each reading marked with what it was read as. Every character of it is escaped."""
    spans: list[tuple[int, int, list[Reading]]] = []
    for reading in sorted((*parsed.readings, *parsed.unknown), key=lambda r: (r.start, -r.end)):
        if spans and reading.start < spans[-1][1]:  # two meanings of one phrase share a mark
            start, end, inside = spans[-1]
            spans[-1] = start, max(end, reading.end), [*inside, reading]
        else:
            spans.append((reading.start, reading.end, [reading]))
    pieces, place = [], 0
    for start, end, inside in spans:
        pieces.append(html.escape(parsed.text[place:start]))
        pieces.append(_mark(parsed.text[start:end], inside))
        place = end
    pieces.append(html.escape(parsed.text[place:]))
    style = "line-height:2;white-space:pre-wrap;overflow-wrap:anywhere;max-height:16rem;overflow-y:auto"
    return f'<div style="{style}" role="group" aria-label="How the note was read">{"".join(pieces)}</div>'


def _mark(text: str, readings: Sequence[Reading]) -> str:
    known = [reading for reading in readings if reading.field]
    if not known:
        return f'<span style="border-bottom:2px dotted {NEUTRAL}" title="not understood">{html.escape(text)}</span>'
    absent = all(reading.negated for reading in known)
    said = "; ".join(f"{_field(r)} {display(r.value)}{' absent' if r.negated else ''}" for r in known)
    colour, line = (NEUTRAL, "line-through") if absent else (LEMON, "none")
    return (
        f'<mark style="background:{rgba(colour, 0.22)};color:inherit;border-radius:.3rem;padding:.1rem .3rem">'
        f'<span style="text-decoration:{line}">{html.escape(text)}</span>'
        f'<small style="margin-left:.4rem;font-weight:600;opacity:.85">{html.escape(said)}</small></mark>'
    )


def _field(reading: Reading) -> str:
    name = _FIELDS.get(reading.field, reading.field)
    return DESCRIPTOR_WORDS.get(name, name)


def _render_probability(answer: Answer) -> None:
    where = "At or above" if answer.malignant else "Below"
    st.metric(
        "Calibrated probability of malignancy",
        f"{answer.probability:.0%}",
        f"{where} the operating point of {answer.threshold:.0%}",
        delta_color="off",
        delta_arrow="off",
        border=True,
    )
    marker = ":yellow-badge[:material/science: trained on simulated notes] " if answer.simulated else ""
    st.markdown(
        f"{marker}A probability, not a diagnosis. Trained on {parts.plain(answer.trained_on)}: case-enriched data, so "
        "it does not hold for screening."
    )
    for caution in answer.cautions:
        st.warning(parts.plain(caution), icon=":material/warning:")


def render_why(answer: Answer) -> None:
    why = answer.explanation
    st.markdown("**What moved it**")
    steps = "; ".join(f"{DESCRIPTOR_WORDS.get(name, name)} {words} {value:+.2f}" for name, words, value in why.steps)
    alt = f"From the average case to {why.probability:.0%}, in log-odds: {steps}"
    parts.chart(charts_notes.waterfall_figure(why), "waterfall", alt)
    st.caption(
        "Exact SHAP values: from the average training case (top) to this note (bottom). A bar to the right raises the "
        "probability, a hatched one to the left lowers it; the figure beside it is the probability reached so far. "
        f"n = 1 note, model trained on {parts.plain(answer.trained_on)}."
    )


def render_similar(table: pd.DataFrame, note: Note, words: str) -> None:
    """Known cases that read alike, one a patient, with their outcome."""
    st.markdown("**Cases that read alike**")
    same = same_words(table, note)
    if same["n"]:
        st.markdown(
            f"With exactly this type and distribution: **{same['malignant']:,} of {same['n']:,} rows malignant** "
            f"({same['share']:.0%}, 95% interval {same['low']:.0%} to {same['high']:.0%})."
        )
    else:
        st.markdown("No row has exactly this type and distribution.")
    cases = similar_cases(table, note)
    counts = Counter(cases["pathology"])
    st.markdown(
        f"Of the {len(cases)} most similar patients: "
        + ", ".join(f"**{counts[name]}** {display(name)}" for name in PATHOLOGIES)
        + "."
    )
    shown = pd.DataFrame(
        {
            "alike": 100 * cases["similarity"],
            "outcome": [display(str(value)) for value in cases["pathology"]],
            "type": [_words(value) for value in cases["morphology"]],
            "distribution": [_words(value) for value in cases["distribution"]],
            "BI-RADS": cases["assessment"],
            "density": cases["breast_density"],
            "subtlety": cases["subtlety"],
            "view": cases["view"],
            "case": cases["case_id"],
        }
    )
    st.dataframe(
        shown,
        hide_index=True,
        height=38 + 35 * len(shown),
        column_config={"alike": st.column_config.NumberColumn(format="%d%%", width="small")},
    )
    st.caption(f"n = {len(table):,} rows, {words}, training and test; one row a patient. Case-enriched.")


def _words(value: object) -> str:
    return display(value) if isinstance(value, str) else "not given"
