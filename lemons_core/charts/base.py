"""Tables to plotly figures. Every figure has its words beside it, so none depends on colour alone."""

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from lemons_core.base.colours import GROUP_COLOURS, LEMON, NEUTRAL, PATHOLOGY_COLOURS, rgba
from lemons_core.base.terms import display
from lemons_core.dataset.explore import NOT_STATED, PATHOLOGIES

_BAR = 34  # pixels a bar, so that every chart of a page has bars of one size


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
    figure.update_layout(barmode="stack", xaxis_title="rows")
    return _styled(figure, len(totals))


def share_figure(shares: pd.DataFrame) -> go.Figure:
    """Dots with intervals of `malignant_share`, in percent; a group's dot has the group's colour."""
    known = {**GROUP_COLOURS, NOT_STATED: NEUTRAL}
    colours = [known.get(key, PATHOLOGY_COLOURS["MALIGNANT"]) for key in shares["key"]]
    figure = go.Figure()
    for row, colour in zip(shares.itertuples(), colours, strict=True):
        figure.add_scatter(
            y=[row.value],
            x=[100 * row.share],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [100 * (row.high - row.share)],
                "arrayminus": [100 * (row.share - row.low)],
                "color": colour,
                "thickness": 2.5,
                "width": 5,
            },
            mode="markers",
            marker={"color": colour, "size": 11},
            hovertemplate=(
                f"%{{y}}: {row.malignant:,} of {row.n:,} malignant, {row.share:.1%} "
                f"({row.low:.1%} to {row.high:.1%})<extra></extra>"
            ),
        )
    labels = [f"{row.value}  <i>n={row.n:,}</i>" for row in shares.itertuples()]
    figure.update_yaxes(tickmode="array", tickvals=list(shares["value"]), ticktext=labels)
    figure.update_xaxes(range=[-2, 102], ticksuffix="%", title="malignant")
    return _styled(figure, len(shares))


def bars_figure(names: list[str], values: list[int], axis: str) -> go.Figure:
    """Plain bars of one series, the first on top."""
    figure = go.Figure(
        go.Bar(
            y=names,
            x=values,
            orientation="h",
            marker={"color": NEUTRAL},
            text=[f"{value:,}" for value in values],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:,}<extra></extra>",
        )
    )
    figure.update_layout(xaxis_title=axis)
    return _styled(figure, len(names))


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
    names = ["any calcification", *probabilities]
    values = [calcification, *probabilities.values()]
    figure = go.Figure(
        go.Bar(
            y=names,
            x=[100 * value for value in values],
            orientation="h",
            marker={"color": [LEMON, *(GROUP_COLOURS[name] for name in probabilities)]},
            text=[f"{value:.0%}" for value in values],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.1f}%<extra></extra>",
        )
    )
    for bar, label in enumerate(["calcification", *probabilities]):
        if bands and label in bands:
            low, high = (100 * edge for edge in bands[label])
            figure.add_shape(
                type="rect", x0=low, x1=high, y0=bar - 0.48, y1=bar + 0.48,
                layer="below", line={"width": 0}, fillcolor=rgba(NEUTRAL, 0.28),
            )  # fmt: skip
    figure.update_xaxes(range=[0, 112], tickvals=[0, 25, 50, 75, 100], ticksuffix="%")
    return _styled(figure, len(names))


def _styled(figure: go.Figure, bars: int) -> go.Figure:
    figure.update_layout(
        height=56 + _BAR * max(bars, 2),
        margin={"l": 4, "r": 44, "t": 4, "b": 48},
        bargap=0.32,
        showlegend=False,  # plotly's takes half of a phone; the page has its own
        hoverlabel={"align": "left"},
        dragmode=False,
    )
    figure.update_yaxes(autorange="reversed", automargin=True, title="", ticklabelstandoff=6, showgrid=False)
    figure.update_xaxes(fixedrange=True, rangemode="tozero")
    return figure
