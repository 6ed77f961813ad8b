"""Figures of the relabelling: flow from type to group, overlap of values."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lemons_core.base.colours import GROUP_COLOURS, NEUTRAL, rgba
from lemons_core.base.terms import GROUPS, display
from lemons_core.charts.base import framed, shaded_figure


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
    return framed(figure.update_layout(font={"size": 12}), 30 * len(types) + 60, top=8, bottom=8)


def overlap_figure(both: pd.DataFrame) -> go.Figure:
    """`co_occurrence` as a table of shades; the diagonal (rows of each value) is left pale."""
    shade = both.astype(float).mask(np.eye(len(both), dtype=bool))
    return shaded_figure(shade, both.map("{:,}".format), "%{y} and %{x}: %{text} rows", height=260)


def _words(name: str) -> str:
    return name if name.islower() or name.startswith(("other types", "type missing")) else display(name)
