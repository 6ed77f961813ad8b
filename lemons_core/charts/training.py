"""Figures of training runs. Each has its numbers in words beside it, and every line a symbol besides its colour."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lemons_core.base.colours import GROUP_COLOURS, LEMON, NEUTRAL
from lemons_core.base.terms import GROUPS
from lemons_core.charts import base
from lemons_core.charts.base import framed


class LineMark(NamedTuple):
    """How one line of a figure is told from the others: colour, symbol (plotly's name), and the symbol as a letter."""

    colour: str
    symbol: str
    letter: str


RUN_MARKS = (
    LineMark(LEMON, "circle", "●"),
    LineMark("#26828E", "square", "■"),
    LineMark(NEUTRAL, "diamond", "◆"),
    LineMark(LEMON, "triangle-up", "▲"),
    LineMark("#26828E", "x", "✖"),
    LineMark(NEUTRAL, "star", "★"),
)
LABEL_MARKS = {
    "calcification": LineMark(LEMON, "circle", "●"),
    **{
        str(group): LineMark(GROUP_COLOURS[group], symbol, letter)
        for group, (symbol, letter) in zip(
            GROUPS, (("square", "■"), ("diamond", "◆"), ("triangle-up", "▲"), ("star", "★")), strict=True
        )
    },
}


class Line(NamedTuple):
    """One line: its name, how it is drawn, and its points; a y of None is a gap."""

    name: str
    mark: LineMark
    x: Sequence[float]
    y: Sequence[float | None]


def lines_figure(lines: Sequence[Line], axis: str, *, floor: float | None = None) -> go.Figure:
    """Lines over epochs. floor : a dashed line at this value, such as chance."""
    figure = go.Figure()
    for line in lines:
        figure.add_scatter(
            x=list(line.x),
            y=list(line.y),
            mode="lines+markers",
            line={"color": line.mark.colour, "width": 2},
            marker={"color": line.mark.colour, "symbol": line.mark.symbol, "size": 8},
            hovertemplate=f"{line.name}, epoch %{{x}}: %{{y:.3f}}<extra></extra>",
        )
    if floor is not None:
        figure.add_hline(y=floor, line={"color": NEUTRAL, "width": 1.5, "dash": "dash"})
    last = max((x for line in lines for x in line.x), default=1)
    figure.update_xaxes(title="epoch", range=[0.7, last + 0.3], dtick=max(1, round(last / 8)))
    figure.update_yaxes(title=axis, zeroline=False)
    return framed(figure, 300, top=8, right=12)


def confusion_figure(counts: np.ndarray, names: Sequence[str]) -> go.Figure:
    """(N, N) counts, rows reference and columns said, shaded by the share of the row."""
    table = pd.DataFrame(counts, list(names), list(names))
    figure = base.confusion_figure(table, "reference %{y}, said %{x}", height=340)
    figure.update_xaxes(title="said", tickfont={"size": 11})
    return figure.update_yaxes(title="reference")
