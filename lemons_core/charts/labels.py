"""Figures of the relabelling: flow from type to group, overlap of values."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lemons_core.base.colours import GROUP_COLOURS, NEUTRAL, rgba
from lemons_core.base.terms import GROUPS, display


def sankey_figure(flow: pd.DataFrame) -> go.Figure:
    """Rows from raw type (left) to single label (right); `flow` is `labels.summary.type_to_group`."""
    types = list(dict.fromkeys(flow["morphology"]))
    groups = [str(group) for group in GROUPS if (flow["group"] == group).any()]
    groups += [name for name in dict.fromkeys(flow["group"]) if name not in groups]
    node = {name: number for number, name in enumerate([*types, *groups])}
    left, right = flow.groupby("morphology")["n"].sum(), flow.groupby("group")["n"].sum()
    counts = [*(left[name] for name in types), *(right[name] for name in groups)]
    names = [*(_words(name) for name in types), *groups]
    colours = [GROUP_COLOURS.get(name, NEUTRAL) for name in groups]
    figure = go.Figure(
        go.Sankey(
            node={
                "label": [f"{name} ({int(n):,})" for name, n in zip(names, counts, strict=True)],
                "color": [NEUTRAL] * len(types) + colours,
                "pad": 10,
                "thickness": 14,
                "line": {"width": 0},
                "hovertemplate": "%{label}<extra></extra>",
            },
            link={
                "source": [node[name] for name in flow["morphology"]],
                "target": [node[name] for name in flow["group"]],
                "value": flow["n"].tolist(),
                "color": [rgba(GROUP_COLOURS.get(name, NEUTRAL), 0.4) for name in flow["group"]],
                "hovertemplate": "%{source.label} to %{target.label}: %{value:,} rows<extra></extra>",
            },
        )
    )
    figure.update_layout(height=30 * len(types) + 60, margin={"l": 4, "r": 4, "t": 8, "b": 8}, font={"size": 12})
    return figure


def overlap_figure(both: pd.DataFrame) -> go.Figure:
    """`co_occurrence` as a table of shades; the diagonal (rows of each value) is left pale."""
    shade = both.astype(float).mask(np.eye(len(both), dtype=bool))
    figure = go.Figure(
        go.Heatmap(
            z=shade.to_numpy(),
            x=list(both.columns),
            y=list(both.index),
            text=[[f"{n:,}" for n in row] for row in both.to_numpy()],
            texttemplate="%{text}",
            colorscale=[[0, "rgba(176,137,0,0.05)"], [1, "rgba(176,137,0,0.75)"]],
            showscale=False,
            hoverongaps=False,
            xgap=3,
            ygap=3,
            hovertemplate="%{y} and %{x}: %{text} rows<extra></extra>",
        )
    )
    figure.update_layout(height=260, margin={"l": 4, "r": 4, "t": 8, "b": 8}, dragmode=False)
    figure.update_xaxes(fixedrange=True, side="top")
    figure.update_yaxes(fixedrange=True, autorange="reversed")
    return figure


def _words(name: str) -> str:
    return name if name.islower() or name.startswith(("other types", "type missing")) else display(name)
