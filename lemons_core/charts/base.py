"""Tables to plotly figures. Every figure has its words beside it, so none depends on colour alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lemons_core.base.colours import GROUP_COLOURS, LEMON, NEUTRAL, PATHOLOGY_COLOURS, rgba
from lemons_core.base.terms import display
from lemons_core.dataset.explore import NOT_STATED, PATHOLOGIES


def framed(figure: go.Figure, height: int, *, top: int = 4, right: int = 4, bottom: int = 48) -> go.Figure:
    """Height and margins in pixels; nothing to zoom, and no legend: plotly's takes half of a phone."""
    figure.update_layout(
        height=height,
        margin={"l": 4, "r": right, "t": top, "b": bottom},
        showlegend=False,
        dragmode=False,
        hoverlabel={"align": "left"},
    )
    figure.update_xaxes(fixedrange=True)
    return figure.update_yaxes(fixedrange=True, automargin=True)


def rows_figure(figure: go.Figure, rows: int, axis: str, *, row: int = 36) -> go.Figure:
    """The same figure with a row, `row` pixels high, for each bar or dot, the first on top."""
    figure.update_layout(bargap=0.32)
    figure.update_xaxes(title=axis, zeroline=False)
    figure.update_yaxes(autorange="reversed", title="", ticklabelstandoff=6, showgrid=False)
    return framed(figure, 56 + row * max(rows, 2), right=44)


def error_bars(estimates: Any, colour: str, *, width: int = 5) -> dict[str, Any]:
    """Plotly's error bars from rows of value, low, high."""
    values, low, high = np.array(estimates).reshape(-1, 3).T
    spans = {"array": high - values, "arrayminus": values - low}
    return {"type": "data", "symmetric": False, "color": colour, "thickness": 2, "width": width} | spans


def counts_figure(counts: pd.DataFrame) -> go.Figure:
    """Stacked bars of `count_by`: one bar a value, one colour a pathology."""
    figure = go.Figure()
    totals = counts.groupby("value", sort=False)["n"].sum()
    for pathology in PATHOLOGIES:
        part = counts[counts["pathology"] == pathology]
        figure.add_bar(
            y=part["value"],
            x=part["n"],
            name=display(pathology),
            orientation="h",
            marker={
                "color": PATHOLOGY_COLOURS[pathology],
                "line": {"width": 0},
                # hatched as well, so that the two kinds of benign can be told apart without colour
                "pattern": {"shape": "/" if pathology.endswith("CALLBACK") else "", "size": 6, "fillmode": "overlay"},
            },
            hovertemplate=f"%{{y}}: %{{x:,}} {display(pathology)}<extra></extra>",
        )
    figure.add_scatter(
        y=list(totals.index),
        x=list(totals),
        text=[f" {n:,}" for n in totals],
        mode="text",
        textposition="middle right",
        hoverinfo="skip",
        cliponaxis=False,
    )
    return rows_figure(figure.update_layout(barmode="stack"), len(totals), "rows")


def share_figure(shares: pd.DataFrame) -> go.Figure:
    """Dots with intervals of `malignant_share`, in percent; a group's dot has the group's colour."""
    known = {**GROUP_COLOURS, NOT_STATED: NEUTRAL}
    colours = [known.get(key, PATHOLOGY_COLOURS["MALIGNANT"]) for key in shares["key"]]
    figure = go.Figure()
    for row, colour in zip(shares.itertuples(), colours, strict=True):
        figure.add_scatter(
            y=[row.value],
            x=[100 * row.share],
            error_x=error_bars([100 * row.share, 100 * row.low, 100 * row.high], colour),
            mode="markers",
            marker={"color": colour, "size": 11},
            hovertemplate=(
                f"%{{y}}: {row.malignant:,} of {row.n:,} malignant, {row.share:.1%} "
                f"({row.low:.1%} to {row.high:.1%})<extra></extra>"
            ),
        )
    labels = [f"{row.value}  <i>n={row.n:,}</i>" for row in shares.itertuples()]
    figure.update_yaxes(tickmode="array", tickvals=list(shares["value"]), ticktext=labels)
    figure.update_xaxes(range=[-2, 102], ticksuffix="%")
    return rows_figure(figure, len(shares), "malignant")


def bars_figure(
    names: Sequence[str],
    values: Sequence[float],
    axis: str,
    *,
    colour: str | Sequence[str] = rgba(LEMON, 0.75),
    unit: str = "",
    intervals: Any = None,
) -> go.Figure:
    """Bars of one series, the first on top.

    colour : of all of them, or of each
    intervals : (N, 2) low and high, drawn in the place of the figures at the ends
    """
    plain = intervals is None
    figure = go.Figure(
        go.Bar(
            y=list(names),
            x=list(values),
            orientation="h",
            marker={"color": colour},
            error_x=None if plain else error_bars(np.column_stack([values, intervals]), NEUTRAL, width=4),
            text=[f"{value:,.0f}{unit}" for value in values] if plain else None,
            textposition="outside",
            cliponaxis=False,
            hovertemplate=f"%{{y}}: %{{x:,.3~f}}{unit}<extra></extra>",
        )
    )
    figure.update_xaxes(ticksuffix=unit)
    return rows_figure(figure, len(names), axis)


def shaded_figure(shade: pd.DataFrame, text: pd.DataFrame, hover: str, *, height: int) -> go.Figure:
    """A table whose cells hold `text` and are the fuller the higher `shade` is."""
    figure = go.Figure(
        go.Heatmap(
            z=shade.to_numpy(),
            x=list(shade.columns),
            y=list(shade.index),
            text=text.to_numpy(),
            texttemplate="%{text}",
            textfont={"size": 13},
            colorscale=[[0, rgba(LEMON, 0.05)], [1, rgba(LEMON, 0.65)]],
            showscale=False,
            hoverongaps=False,
            xgap=3,
            ygap=3,
            hovertemplate=f"{hover}<extra></extra>",
        )
    )
    figure.update_xaxes(side="top", showgrid=False, tickangle=0)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return framed(figure, height, bottom=8)


def confusion_figure(counts: pd.DataFrame, hover: str, *, words: pd.DataFrame | str = "", height: int) -> go.Figure:
    """Counts, a row each reference and a column each answer, shaded by their share of the row.

    words : HTML between the count of a cell and its share, of the shape of `counts`
    """
    share = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    text = counts.map("<b>{:,}</b><br>".format) + words + share.map("{:.0%}".format)
    return shaded_figure(share, text, hover, height=height).update_traces(zmin=0, zmax=1)


def with_ink(figure: go.Figure, *, dark: bool) -> go.Figure:
    """The same figure with words that can be read on the dark or the light page; the theme's own grey is too pale."""
    ink = "#D6D3C9" if dark else "#45412F"
    figure.update_xaxes(tickfont_color=ink, title_font_color=ink)
    figure.update_yaxes(tickfont_color=ink, title_font_color=ink)
    return figure.update_traces(textfont_color=ink)


def probability_figure(
    calcification: float, probabilities: Mapping[str, float], bands: Mapping[str, Sequence[float]] | None = None
) -> go.Figure:
    """Bars for any calcification and each group, 0-100%; they need not sum to 100.

    bands : label -> (low, high) of the probabilities, 0-1, that mean "not sure"; drawn grey behind the bars
    """
    figure = bars_figure(
        ["any calcification", *probabilities],
        [100 * value for value in (calcification, *probabilities.values())],
        "",
        colour=[LEMON, *(GROUP_COLOURS[name] for name in probabilities)],
        unit="%",
    )
    for bar, label in enumerate(["calcification", *probabilities]):
        if bands and label in bands:
            low, high = (100 * edge for edge in bands[label])
            figure.add_shape(
                type="rect", x0=low, x1=high, y0=bar - 0.48, y1=bar + 0.48,
                layer="below", line={"width": 0}, fillcolor=rgba(NEUTRAL, 0.28),
            )  # fmt: skip
    return figure.update_xaxes(range=[0, 112], tickvals=[0, 25, 50, 75, 100])
