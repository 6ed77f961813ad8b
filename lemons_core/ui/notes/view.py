"""Parts of the page of the notes: the note, its probability, and the reasons for it."""

import html
from collections import Counter
from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st

from lemons_core.base.colours import LEMON, NEUTRAL, rgba
from lemons_core.base.errors import LemonsError
from lemons_core.base.terms import DISTRIBUTION, MORPHOLOGY, View, display
from lemons_core.charts import notes as charts_notes
from lemons_core.dataset.explore import PATHOLOGIES
from lemons_core.notes.answer import NoteAnswer, answer_note
from lemons_core.notes.explain import DESCRIPTOR_WORDS, same_words, similar_cases
from lemons_core.notes.model import NoteModel
from lemons_core.notes.parsing.mentions import Mention
from lemons_core.notes.parsing.parse import ParsedNote, chosen_note, parse_note
from lemons_core.notes.text import FEATURE_SETS, FIELD_WORDS, GRADES, Features, Note, build_note
from lemons_core.ui.shell import parts, state

EXAMPLES = {
    "suspicious": "Segmental fine pleomorphic calcifications, no skin calcifications. Dense breast, BI-RADS 4C.",
    "benign": "Scattered round calcifications with lucent centers, BI-RADS 2.",
    "between": "A cluster of amorphous microcalcs, seen on MLO only; heterogeneously dense, BI-RADS 4A.",
}
_LABELS = {
    "assessment": "BI-RADS category",
    "breast_density": "Breast density",
    "subtlety": "Subtlety (1 hard to see, 5 obvious)",
    "view": "View",
}


def choose_note(features: Features) -> ParsedNote:
    """What the visitor writes, with how it was read, or chooses."""
    way = parts.one_of("Describe a finding", ("free text", "by choice"), key="way", bind="query-params")
    if way == "free text":
        parsed = parse_note(_write_note())
        render_mentions(parsed)
        return parsed
    morphology = st.multiselect(
        "Type", MORPHOLOGY, ["PLEOMORPHIC"], format_func=display, key=state.NOTES_MORPHOLOGY, persist_state="session"
    )
    distribution = st.multiselect(
        "Distribution",
        DISTRIBUTION,
        ["CLUSTERED"],
        format_func=display,
        key=state.NOTES_DISTRIBUTION,
        persist_state="session",
    )
    grades: dict[str, int | str | None] = {}
    columns = st.columns(2)
    for position, name in enumerate(name for name in _LABELS if name in FEATURE_SETS[features].reads):
        values: tuple[int | str, ...] = GRADES.get(name) or tuple(view.value for view in View)
        grades[name] = columns[position % 2].selectbox(
            _LABELS[name],
            values,
            index=None,
            placeholder="not given",
            key=state.NOTES_GRADE + name,
            persist_state="session",
        )
    return chosen_note(build_note(morphology, distribution, **grades))


def _write_note() -> str:
    st.session_state.setdefault(state.NOTES_TEXT, EXAMPLES["suspicious"])
    text = st.text_area(
        "The note",
        key=state.NOTES_TEXT,
        height=110,
        persist_state="session",
        placeholder="grouped amorphous calcifications",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Read the note", type="primary", icon=":material/ink_highlighter:")
        for name, example in EXAMPLES.items():
            st.button(name, on_click=_use_example, args=(example,), type="tertiary", key=f"example-{name}")
    return str(text)


def _use_example(text: str) -> None:
    st.session_state[state.NOTES_TEXT] = text


def render_answer(
    parsed: ParsedNote, features: Features, model_of: Callable[[Features], NoteModel]
) -> NoteAnswer | None:
    """The probability with its cautions, or why there is none to give."""
    try:
        answer = answer_note(parsed, features=features, model_of=model_of)
    except LemonsError as error:
        todo = parts.plain(error.todo)
        st.info(f"**No probability.** {parts.plain(error.what)}. {todo}", icon=":material/block:")
        return None
    _render_probability(answer)
    return answer


def render_mentions(parsed: ParsedNote) -> None:
    """The text with its descriptors marked and named, and what was not understood."""
    st.html(marked(parsed))
    words = list(dict.fromkeys(word.text for word in parsed.unknown))
    if words:
        shown = ", ".join(f"“{parts.plain(word[:30])}”" for word in words[:12])
        more = f" and {len(words) - 12:,} more" if len(words) > 12 else ""
        st.caption(f"Not understood: {shown}{more}.")


def marked(parsed: ParsedNote) -> str:
    """HTML: the text, each mention marked with what it was read as. Every character of it is escaped."""
    spans: list[tuple[int, int, list[Mention]]] = []
    for mention in sorted((*parsed.mentions, *parsed.unknown), key=lambda m: (m.start, -m.end)):
        if spans and mention.start < spans[-1][1]:  # two meanings of one phrase share a mark
            start, end, inside = spans[-1]
            spans[-1] = start, max(end, mention.end), [*inside, mention]
        else:
            spans.append((mention.start, mention.end, [mention]))
    pieces, done = [], 0
    for start, end, inside in spans:
        pieces += [html.escape(parsed.text[done:start]), _mark(parsed.text[start:end], inside)]
        done = end
    pieces.append(html.escape(parsed.text[done:]))
    style = "line-height:2;white-space:pre-wrap;overflow-wrap:anywhere;max-height:16rem;overflow-y:auto"
    return f'<div style="{style}" role="group" aria-label="How the note was read">{"".join(pieces)}</div>'


def _mark(text: str, mentions: Sequence[Mention]) -> str:
    known = [mention for mention in mentions if mention.field]
    if not known:
        return f'<span style="border-bottom:2px dotted {NEUTRAL}" title="not understood">{html.escape(text)}</span>'
    absent = all(mention.negated for mention in known)
    words = "; ".join(f"{FIELD_WORDS[m.field]} {display(m.value)}{' absent' if m.negated else ''}" for m in known)
    colour, line = (NEUTRAL, "line-through") if absent else (LEMON, "none")
    return (
        f'<mark style="background:{rgba(colour, 0.22)};color:inherit;border-radius:.3rem;padding:.1rem .3rem">'
        f'<span style="text-decoration:{line}">{html.escape(text)}</span>'
        f'<small style="margin-left:.4rem;font-weight:600;opacity:.85">{html.escape(words)}</small></mark>'
    )


def _render_probability(answer: NoteAnswer) -> None:
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


def render_why(answer: NoteAnswer) -> None:
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
    n, malignant, share = same_words(table, note)
    if share:
        st.markdown(
            f"With exactly this type and distribution: **{malignant:,} of {n:,} rows malignant** "
            f"({share.value:.0%}, 95% interval {share.low:.0%} to {share.high:.0%})."
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
