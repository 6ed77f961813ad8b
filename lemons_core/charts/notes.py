"""Figures of the note models. Each has its numbers in words beside it, so none depends on colour alone."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lemons_core.base.colours import LEMON, NEUTRAL, PATHOLOGY_COLOURS, rgba
from lemons_core.base.terms import Pathology
from lemons_core.notes.explain import DESCRIPTOR_WORDS, Explanation, column_words
from lemons_core.notes.leakage import Trick

RAISES, LOWERS = PATHOLOGY_COLOURS[Pathology.MALIGNANT], PATHOLOGY_COLOURS[Pathology.BENIGN]
_ROW = 38  # pixels a bar or dot
_TICKS = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


def roc_figure(curve: pd.DataFrame, point: pd.Series) -> go.Figure:
    """Sensitivity against 1 - specificity; `curve` is metrics.thresholds, `point` its row in use."""
    return _curve(
        100 * (1 - curve["specificity"]),
        100 * curve["sensitivity"],
        (100 * (1 - point["specificity"]), 100 * point["sensitivity"]),
        chance=([0, 100], [0, 100]),
        axes=("benign rows called malignant", "malignant rows found"),
    )


def precision_figure(curve: pd.DataFrame, point: pd.Series) -> go.Figure:
    """Precision against sensitivity; the dashed line is the malignant share, what a guess would reach."""
    share = 100 * (point["tp"] + point["fn"]) / point[["tp", "fp", "fn", "tn"]].sum()
    return _curve(
        100 * curve["sensitivity"],
        100 * curve["precision"],
        (100 * point["sensitivity"], 100 * point["precision"]),
        chance=([0, 100], [share, share]),
        axes=("malignant rows found", "of those called malignant, malignant"),
    )


def reliability_figure(table: pd.DataFrame, *, seen: str = "malignant share seen", colour: str = LEMON) -> go.Figure:
    """Stated against seen share with Wilson intervals, from metrics.reliability; dashed: perfect."""
    share = 100 * table["share"]
    figure = go.Figure(_dashed([0, 100], [0, 100]))
    figure.add_scatter(
        x=100 * table["probability"],
        y=share,
        mode="lines+markers",
        line={"color": rgba(colour, 0.5), "width": 1.5},
        marker={"color": colour, "size": 7 + 12 * np.sqrt(table["n"] / table["n"].max())},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": 100 * table["share_high"] - share,
            "arrayminus": share - 100 * table["share_low"],
            "color": colour,
            "thickness": 2,
            "width": 4,
        },
        customdata=table["n"],
        hovertemplate="stated %{x:.0f}%, seen %{y:.0f}%, n = %{customdata}<extra></extra>",
    )
    return _square(figure, ("probability stated", seen))


def confusion_figure(point: pd.Series) -> go.Figure:
    """Two by two counts at one threshold, from a row of metrics.thresholds."""
    counts = np.array([[point["tp"], point["fn"]], [point["fp"], point["tn"]]], dtype=int)
    words = [["found", "missed"], ["false alarm", "rightly benign"]]
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    text = [
        [f"<b>{n:,}</b><br>{word}<br>{s:.0%}" for n, word, s in zip(*row, strict=True)]
        for row in zip(counts, words, share, strict=True)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=share,
            x=["called malignant", "called benign"],
            y=["malignant", "benign"],
            text=text,
            texttemplate="%{text}",
            colorscale=[[0, rgba(LEMON, 0.05)], [1, rgba(LEMON, 0.6)]],
            zmin=0,
            zmax=1,
            showscale=False,
            xgap=4,
            ygap=4,
            hovertemplate="%{y}, %{x}<extra></extra>",
        )
    )
    figure.update_layout(height=300, margin={"l": 4, "r": 4, "t": 4, "b": 8}, dragmode=False)
    figure.update_xaxes(fixedrange=True, side="top")
    figure.update_yaxes(fixedrange=True, autorange="reversed", automargin=True)
    return figure


def bars_figure(
    names: Sequence[str], values: Sequence[float], axis: str, *, low: Any = None, high: Any = None, unit: str = ""
) -> go.Figure:
    """Bars of one series, the first on top; `low` and `high` add intervals."""
    ends = np.asarray(values, dtype=float)
    bars = {"array": np.asarray(high) - ends, "arrayminus": ends - np.asarray(low)} if low is not None else None
    figure = go.Figure(
        go.Bar(
            y=list(names),
            x=ends,
            orientation="h",
            marker={"color": rgba(LEMON, 0.75)},
            error_x=bars and {"type": "data", "symmetric": False, "color": NEUTRAL, "thickness": 2, "width": 4} | bars,
            text=None if bars else [f"{value:.0f}{unit}" for value in ends],
            textposition="outside",
            cliponaxis=False,
            hovertemplate=f"%{{y}}: %{{x:.3g}}{unit}<extra></extra>",
        )
    )
    figure.update_xaxes(ticksuffix=unit)
    return _rows(figure, len(names), axis)


def shap_figure(values: np.ndarray, matrix: np.ndarray, names: Sequence[str], *, top: int = 10) -> go.Figure:
    """How far each column moved the log-odds: a dot for rows alike, larger for more rows.

    Full and above the line: the word is there, the grade is high; pale and below: absent or low.

    Parameters
    ----------
    values, matrix : (N, C) SHAP values and what the columns held (nan where averaged over)
    names : the C columns
    """
    figure = go.Figure()
    order = np.argsort(-np.abs(values).mean(axis=0), kind="stable")[:top]
    for place, column in enumerate(order):
        alike = pd.DataFrame({"x": values[:, column].round(1), "held": matrix[:, column]})
        dots = alike.groupby(["x", "held"]).size().rename("n").reset_index()
        low, high = dots["held"].min(), dots["held"].max()
        level = (dots["held"] - low) / (high - low) if high > low else dots["held"] * 0 + 0.5
        figure.add_scatter(
            x=dots["x"],
            y=place + 0.3 * (0.5 - level),
            mode="markers",
            marker={
                "size": 4 + 20 * np.sqrt(dots["n"] / len(alike)),
                "color": [rgba(LEMON, 0.08 + 0.87 * share) for share in level],
                "line": {"width": 1.2, "color": LEMON},
            },
            customdata=dots[["held", "n"]],
            hovertemplate=(
                f"{column_words(names[column])} = %{{customdata[0]:.0f}}: %{{x:+.1f}}, "
                "n = %{customdata[1]}<extra></extra>"
            ),
        )
    labels = [_wrapped(column_words(names[column])) for column in order]
    figure.add_vline(x=0, line={"color": NEUTRAL, "width": 1})
    _rows(figure, len(order), "log-odds added")
    figure.update_yaxes(tickmode="array", tickvals=list(range(len(order))), ticktext=labels)
    return figure


def waterfall_figure(why: Explanation) -> go.Figure:
    """From the average case to this one, descriptor by descriptor; each bar ends at the probability reached so far."""
    steps = [step for step in why.steps if abs(step[2]) >= 0.005]
    ends = why.base + np.cumsum([0.0, *(value for _, _, value in steps)])
    names = ["average case"]
    for name, words, _ in steps:
        names.append(_wrapped(DESCRIPTOR_WORDS[name], words) if name in DESCRIPTOR_WORDS else name)
    figure = go.Figure(
        go.Bar(
            y=names[1:],
            x=[value for _, _, value in steps],
            base=ends[:-1],
            orientation="h",
            marker={
                "color": [RAISES if value > 0 else LOWERS for _, _, value in steps],
                "pattern": {"shape": ["" if value > 0 else "/" for _, _, value in steps], "fillmode": "overlay"},
            },
            customdata=[value for _, _, value in steps],
            hovertemplate="%{y}: %{customdata:+.2f} log-odds<extra></extra>",
        )
    )
    right = np.array([True, *(value >= 0 for _, _, value in steps)])
    reached = 1 / (1 + np.exp(-ends))
    # The calibrated end is written as the answer itself, so that rounding cannot tell two stories.
    texts = [f"{share:.0%}" for share in reached[:-1]] + [f"<b>{why.probability:.0%}</b>"]
    figure.add_scatter(
        y=names,
        x=ends,
        mode="markers+text",
        marker={
            "color": [NEUTRAL] * len(steps) + [LEMON],
            "size": [7] * len(steps) + [11],
            "symbol": "diamond",
        },
        text=[f" {t} " for t in texts],
        textposition=["middle right" if r else "middle left" for r in right],
        cliponaxis=False,
        hoverinfo="skip",
    )
    low, high = float(ends.min()), float(ends.max())
    pad = max(0.25 * (high - low), 0.15)
    ticks: list[float] = []
    for tick in _TICKS:  # as many as keep apart
        place = float(np.log(tick / (1 - tick)))
        if low - pad <= place <= high + pad and (not ticks or place - ticks[-1] > (high - low + 2 * pad) / 7):
            ticks.append(place)
    figure.add_vline(x=why.base, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    _rows(figure, len(names), "probability")
    figure.update_yaxes(categoryorder="array", categoryarray=names)
    figure.update_xaxes(
        range=[low - pad, high + pad],
        tickmode="array",
        tickvals=ticks,
        ticktext=[f"{100 / (1 + np.exp(-tick)):.3g}%" for tick in ticks],
    )
    return figure


def dependence_figure(table: pd.DataFrame, counts: Sequence[int]) -> go.Figure:
    """Mean probability with one descriptor set to each value; `table` is explain.partial_dependence."""
    names = [f"{_wrapped(str(words))}  <i>n={n:,}</i>" for words, n in zip(table["words"], counts, strict=True)]
    return bars_figure(names, 100 * table["probability"], "mean probability", unit="%")


def lab_figure(tricks: Sequence[Trick]) -> go.Figure:
    """AUC without (ring) and with (dot) each shortcut, both with intervals; tricks without figures are left out."""
    shown = [trick for trick in tricks if trick.honest and trick.tricked]
    names = [_wrapped(trick.title, width=22) for trick in shown]
    figure = go.Figure()
    for name, trick in zip(names, shown, strict=True):
        ends = [trick.honest["auc"][0], trick.tricked["auc"][0]]  # type: ignore[index]
        figure.add_scatter(
            x=ends, y=[name, name], mode="lines", line={"color": rgba(LEMON, 0.45), "width": 7}, hoverinfo="skip"
        )
    for side, symbol, colour in (("honest", "circle-open", LOWERS), ("tricked", "circle", RAISES)):
        triples = np.array([getattr(trick, side)["auc"] for trick in shown])
        figure.add_scatter(
            x=triples[:, 0],
            y=names,
            mode="markers",
            marker={"color": colour, "size": 12, "symbol": symbol, "line": {"width": 3, "color": colour}},
            error_x=_error(triples, colour),
            hovertemplate=f"{'with' if side == 'tricked' else 'without'} it: %{{x:.3f}}<extra></extra>",
        )
    _rows(figure, len(shown), "AUC", height=58)
    figure.update_xaxes(rangemode="normal")
    return figure


def models_figure(rows: Sequence[dict[str, Any]]) -> go.Figure:
    """AUC with intervals, one row a result of notes.evaluate; ours is filled, the others are rings."""
    names = [_wrapped(str(row["model"]), str(row["features"])) for row in rows]
    figure = go.Figure()
    for name, row in zip(names, rows, strict=True):
        if row["auc"] is None:
            continue
        ours = row["model"] == "xgboost"
        colour = LEMON if ours else NEUTRAL
        figure.add_scatter(
            x=[row["auc"][0]],
            y=[name],
            mode="markers",
            marker={"color": colour, "size": 11, "symbol": "circle" if ours else "circle-open", "line": {"width": 2}},
            error_x=_error(np.array([row["auc"]]), colour),
            hovertemplate=f"%{{y}}: %{{x:.3f}}, n = {row['n']:,}<extra></extra>",
        )
    _rows(figure, len(names), "AUC")
    figure.update_xaxes(rangemode="normal")
    return figure


def _error(triples: np.ndarray, colour: str) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": triples[:, 2] - triples[:, 0],
        "arrayminus": triples[:, 0] - triples[:, 1],
        "color": colour,
        "thickness": 2,
        "width": 5,
    }


def _curve(x: Any, y: Any, point: tuple[float, float], *, chance: Any, axes: tuple[str, str]) -> go.Figure:
    figure = go.Figure(_dashed(*chance))
    figure.add_scatter(x=x, y=y, mode="lines", line={"color": LEMON, "width": 2.5, "shape": "linear"}, hoverinfo="skip")
    figure.add_scatter(
        x=[point[0]],
        y=[point[1]],
        mode="markers",
        marker={"color": RAISES, "size": 13, "line": {"width": 2, "color": rgba("#FFFFFF", 0.9)}},
        hovertemplate=f"{axes[0]} %{{x:.0f}}%, {axes[1]} %{{y:.0f}}%<extra></extra>",
    )
    return _square(figure, axes)


def _dashed(x: Sequence[float], y: Sequence[float]) -> go.Scatter:
    line = {"color": NEUTRAL, "width": 1.5, "dash": "dash"}
    return go.Scatter(x=list(x), y=list(y), mode="lines", line=line, hoverinfo="skip")


def _square(figure: go.Figure, axes: tuple[str, str]) -> go.Figure:
    figure.update_layout(height=330, margin={"l": 4, "r": 12, "t": 8, "b": 48}, showlegend=False, dragmode=False)
    for update, title in ((figure.update_xaxes, axes[0]), (figure.update_yaxes, axes[1])):
        update(range=[-2, 103], fixedrange=True, ticksuffix="%", title=title, automargin=True, zeroline=False)
    return figure


def _rows(figure: go.Figure, count: int, axis: str, *, height: int = _ROW) -> go.Figure:
    figure.update_layout(
        height=60 + height * max(count, 2),
        margin={"l": 4, "r": 40, "t": 4, "b": 48},
        bargap=0.4,
        showlegend=False,
        dragmode=False,
        hoverlabel={"align": "left"},
    )
    figure.update_yaxes(autorange="reversed", automargin=True, title="", showgrid=False, fixedrange=True)
    figure.update_xaxes(fixedrange=True, title=axis, zeroline=False)
    return figure


def _wrapped(text: str, second: str = "", *, width: int = 24) -> str:
    """Words in short lines, or a phone has no room left for the bars."""
    lines = textwrap.wrap(text, width) + textwrap.wrap(second, width)
    return "<br>".join(lines)
