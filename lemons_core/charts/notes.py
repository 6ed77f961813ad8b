"""Figures of the note models. Each has its numbers in words beside it, so none depends on colour alone."""

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lemons_core.base.colours import LEMON, NEUTRAL, PATHOLOGY_COLOURS, rgba
from lemons_core.base.terms import Pathology
from lemons_core.charts import base
from lemons_core.charts.base import bars_figure, error_bars, framed, rows_figure
from lemons_core.notes.estimators import logit
from lemons_core.notes.evaluate import ModelScores
from lemons_core.notes.explain import DESCRIPTOR_WORDS, NoteExplanation, column_words
from lemons_core.notes.leakage import Trick
from lemons_core.notes.model import sigmoid

RAISES, LOWERS = PATHOLOGY_COLOURS[Pathology.MALIGNANT], PATHOLOGY_COLOURS[Pathology.BENIGN]
_TICKS = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


def roc_figure(curve: pd.DataFrame, point: pd.Series) -> go.Figure:
    """Sensitivity against 1 - specificity; `curve` is metrics.thresholds, `point` its row in use."""
    axes = ("benign rows called malignant", "malignant rows found")
    return _curve(1 - curve["specificity"], curve["sensitivity"], point, chance=(0, 100), axes=axes)


def precision_figure(curve: pd.DataFrame, point: pd.Series) -> go.Figure:
    """Precision against sensitivity; the dashed line is the malignant share, what a guess would reach."""
    share = 100 * (point["tp"] + point["fn"]) / point[["tp", "fp", "fn", "tn"]].sum()
    axes = ("malignant rows found", "of those called malignant, malignant")
    return _curve(curve["sensitivity"], curve["precision"], point, chance=(share, share), axes=axes)


def reliability_figure(table: pd.DataFrame, *, seen: str = "malignant share seen", colour: str = LEMON) -> go.Figure:
    """Stated against seen share with Wilson intervals, from metrics.reliability; dashed: perfect."""
    intervals = 100 * table[["share", "share_low", "share_high"]]
    figure = go.Figure(_dashed(0, 100))
    figure.add_scatter(
        x=100 * table["probability"],
        y=intervals["share"],
        mode="lines+markers",
        line={"color": rgba(colour, 0.5), "width": 1.5},
        marker={"color": colour, "size": 7 + 12 * np.sqrt(table["n"] / table["n"].max())},
        error_y=error_bars(intervals, colour, width=4),
        customdata=table["n"],
        hovertemplate="stated %{x:.0f}%, seen %{y:.0f}%, n = %{customdata}<extra></extra>",
    )
    return _square(figure, ("probability stated", seen))


def confusion_figure(point: pd.Series) -> go.Figure:
    """Two by two counts at one threshold, from a row of metrics.thresholds."""
    sides = ["malignant", "benign"], ["called malignant", "called benign"]
    counts = pd.DataFrame([[point["tp"], point["fn"]], [point["fp"], point["tn"]]], *sides, dtype=int)
    words = pd.DataFrame([["found<br>", "missed<br>"], ["false alarm<br>", "rightly benign<br>"]], *sides)
    return base.confusion_figure(counts, "%{y}, %{x}", words=words, height=300)


def shap_figure(values: np.ndarray, matrix: np.ndarray, names: Sequence[str], *, top: int = 10) -> go.Figure:
    """How far each column moved the log-odds: a dot for rows alike, larger for more rows.

    Full and above the line: the word is there, the grade is high; pale and below: absent or low.

    values, matrix : (N, C) SHAP values and what the columns held (nan where averaged over)
    names : the C columns
    """
    figure = go.Figure()
    order = np.argsort(-np.abs(values).mean(axis=0), kind="stable")[:top]
    for row, column in enumerate(order):
        alike = pd.DataFrame({"x": values[:, column].round(1), "held": matrix[:, column]})
        dots = alike.groupby(["x", "held"]).size().rename("n").reset_index()
        low, high = dots["held"].min(), dots["held"].max()
        level = (dots["held"] - low) / (high - low) if high > low else dots["held"] * 0 + 0.5
        figure.add_scatter(
            x=dots["x"],
            y=row + 0.3 * (0.5 - level),
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
    rows_figure(figure, len(order), "log-odds added")
    figure.update_yaxes(tickmode="array", tickvals=list(range(len(order))), ticktext=labels)
    return figure


def waterfall_figure(why: NoteExplanation) -> go.Figure:
    """From the average case to this one, descriptor by descriptor; each bar ends at the probability reached so far."""
    steps = [step for step in why.steps if abs(step[2]) >= 0.005]
    values = np.array([value for _, _, value in steps])
    ends = why.base + np.cumsum([0.0, *values])
    names = ["average case"]
    for name, words, _ in steps:
        names.append(_wrapped(DESCRIPTOR_WORDS[name], words) if name in DESCRIPTOR_WORDS else name)
    figure = go.Figure(
        go.Bar(
            y=names[1:],
            x=values,
            base=ends[:-1],
            orientation="h",
            marker={
                "color": np.where(values > 0, RAISES, LOWERS).tolist(),
                "pattern": {"shape": np.where(values > 0, "", "/").tolist(), "fillmode": "overlay"},
            },
            customdata=values,
            hovertemplate="%{y}: %{customdata:+.2f} log-odds<extra></extra>",
        )
    )
    # The calibrated end is written as the answer itself, so that rounding cannot give two different figures.
    reached = [f"{share:.0%}" for share in sigmoid(ends[:-1])] + [f"<b>{why.probability:.0%}</b>"]
    figure.add_scatter(
        y=names,
        x=ends,
        mode="markers+text",
        marker={"color": [NEUTRAL] * len(steps) + [LEMON], "size": [7] * len(steps) + [11], "symbol": "diamond"},
        text=[f" {text} " for text in reached],
        textposition=["middle right", *np.where(values >= 0, "middle right", "middle left").tolist()],
        cliponaxis=False,
        hoverinfo="skip",
    )
    figure.add_vline(x=why.base, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    rows_figure(figure, len(names), "probability")
    figure.update_yaxes(categoryorder="array", categoryarray=names)
    pad = max(0.25 * float(np.ptp(ends)), 0.15)
    return _probability_axis(figure, float(ends.min()) - pad, float(ends.max()) + pad)


def _probability_axis(figure: go.Figure, low: float, high: float) -> go.Figure:
    """An axis of log-odds from `low` to `high`, labelled with as many probabilities as keep apart."""
    shown: dict[float, float] = {}
    for odds, probability in zip(logit(np.array(_TICKS)).tolist(), _TICKS, strict=True):
        if low <= odds <= high and (not shown or odds - max(shown) > (high - low) / 7):
            shown[odds] = probability
    return figure.update_xaxes(
        range=[low, high],
        tickmode="array",
        tickvals=list(shown),
        ticktext=[f"{100 * probability:.3g}%" for probability in shown.values()],
    )


def dependence_figure(table: pd.DataFrame) -> go.Figure:
    """Mean probability with one descriptor set to each value; `table` is explain.partial_dependence with n."""
    names = [f"{_wrapped(str(row.words))}  <i>n={row.n:,}</i>" for row in table.itertuples()]
    return bars_figure(names, 100 * table["probability"], "mean probability", unit="%")


def lab_figure(tricks: Sequence[Trick]) -> go.Figure:
    """AUC without (ring) and with (dot) each shortcut, both with intervals; tricks without figures are left out."""
    names, honest, tricked = [], [], []
    for trick in tricks:
        if trick.honest and trick.tricked and trick.honest.auc and trick.tricked.auc:
            names.append(_wrapped(trick.title, width=22))
            honest.append(trick.honest.auc)
            tricked.append(trick.tricked.auc)
    figure = go.Figure()
    for name, *ends in zip(names, honest, tricked, strict=True):
        line = {"color": rgba(LEMON, 0.45), "width": 7}
        figure.add_scatter(x=[end.value for end in ends], y=[name, name], mode="lines", line=line, hoverinfo="skip")
    sides = (("without", honest, "circle-open", LOWERS), ("with", tricked, "circle", RAISES))
    for side, estimates, symbol, colour in sides:
        figure.add_scatter(
            x=[estimate.value for estimate in estimates],
            y=names,
            mode="markers",
            marker={"color": colour, "size": 12, "symbol": symbol, "line": {"width": 3, "color": colour}},
            error_x=error_bars(estimates, colour),
            hovertemplate=f"{side} it: %{{x:.3f}}<extra></extra>",
        )
    return rows_figure(figure, len(names), "AUC", row=58)


def models_figure(rows: Sequence[ModelScores]) -> go.Figure:
    """AUC with intervals, one row a result of notes.evaluate; ours is filled, the others are rings."""
    names = [_wrapped(row.model, row.features) for row in rows]
    figure = go.Figure()
    for name, row in zip(names, rows, strict=True):
        if row.scores.auc is None:
            continue
        ours = row.model == "xgboost"
        colour = LEMON if ours else NEUTRAL
        figure.add_scatter(
            x=[row.scores.auc.value],
            y=[name],
            mode="markers",
            marker={"color": colour, "size": 11, "symbol": "circle" if ours else "circle-open", "line": {"width": 2}},
            error_x=error_bars([row.scores.auc], colour),
            hovertemplate=f"%{{y}}: %{{x:.3f}}, n = {row.scores.n:,}<extra></extra>",
        )
    return rows_figure(figure, len(names), "AUC")


def _curve(
    x: pd.Series, y: pd.Series, point: pd.Series, *, chance: tuple[float, float], axes: tuple[str, str]
) -> go.Figure:
    """Shares in percent; chance : height of the dashed line on the left and on the right"""
    x, y = 100 * x, 100 * y
    figure = go.Figure(_dashed(*chance))
    figure.add_scatter(x=x, y=y, mode="lines", line={"color": LEMON, "width": 2.5, "shape": "linear"}, hoverinfo="skip")
    figure.add_scatter(
        x=[x[point.name]],
        y=[y[point.name]],
        mode="markers",
        marker={"color": RAISES, "size": 13, "line": {"width": 2, "color": rgba("#FFFFFF", 0.9)}},
        hovertemplate=f"{axes[0]} %{{x:.0f}}%, {axes[1]} %{{y:.0f}}%<extra></extra>",
    )
    return _square(figure, axes)


def _dashed(left: float, right: float) -> go.Scatter:
    line = {"color": NEUTRAL, "width": 1.5, "dash": "dash"}
    return go.Scatter(x=[0, 100], y=[left, right], mode="lines", line=line, hoverinfo="skip")


def _square(figure: go.Figure, axes: tuple[str, str]) -> go.Figure:
    for update, title in ((figure.update_xaxes, axes[0]), (figure.update_yaxes, axes[1])):
        update(range=[-2, 103], ticksuffix="%", title=title, automargin=True, zeroline=False)
    return framed(figure, 330, top=8, right=12)


def _wrapped(text: str, second: str = "", *, width: int = 24) -> str:
    """Words in short lines, or a phone has no room left for the bars."""
    lines = textwrap.wrap(text, width) + textwrap.wrap(second, width)
    return "<br>".join(lines)
