"""Runs: how their gaps fall, and where their policies go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mmd_games.algorithms.registry import settings_of, to_spec
from mmd_games.equilibria import nash
from mmd_games.errors import InputError
from mmd_games.loop.trace import Trace
from mmd_games.plots.style import LONGEST_LABEL, MOST_POINTS, in_legend, look, new_axes, positive, put_legend, put_title, tell, thinned
from mmd_games.words import brief

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIMILAR = 10
"""Runs whose lengths differ by at most this factor share a plain horizontal axis, where a linear rate is a straight line."""
MOST_ACTIONS = 7
"""So many actions have a colour and a dash of their own."""

PREDICTED = "predicted"
"""The one entry of the legend that stands for every predicted slope."""

MARGIN = 1.0
"""How far, in nats, a predicted slope is drawn beyond the gaps it is compared with."""

Slope = tuple[float, tuple[int, int]]
"""A factor an iteration, and the iterations between which it is drawn."""


def plot_gaps(
    traces: Sequence[Trace],
    *,
    labels: Sequence[str] | None = None,
    average: bool = True,
    against: Literal["products", "iterations"] = "products",
    predicted: Sequence[Slope | None] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Duality gap of the last iterate, and thinner of the average iterate, for one or several runs.

    Parameters
    ----------
    traces : sequence of Trace
    labels : sequence of str, optional
        Names in the legend; default the algorithms', with the settings in which two of one name differ.
    average : bool
        Whether to draw the average iterate too.
    against : {"products", "iterations"}
        The horizontal axis; products (matrix-vector products for all players) are what methods are fairly compared by. It is logarithmic (from 10 on)
        only where one run is more than ten times as long as another.
    predicted : sequence of (factor, (first, last)) or None, optional
        For each run the factor an iteration by which theory says that its gap falls, and the iterations between which that is drawn in: a dashed grey line
        through the middle of the gaps recorded there.
    ax : Axes, optional
        Where to draw; default a new figure.
    """
    ax = new_axes(ax, (7.2, 4.4))
    names = list(labels) if labels is not None else names_of(traces)
    for index, (trace, name) in enumerate(zip(traces, names, strict=True)):
        style = look(index)
        every_x, every_gap = getattr(trace, against), positive(trace.gaps)
        x, gaps = thinned(every_x, every_gap)
        # Markers stand evenly along the axes; a run of zeros alone has no place for any.
        every = (0.05 * index / len(names), 0.12) if np.any(trace.gaps > 0) else None
        (line,) = ax.plot(x, gaps, **style, linewidth=1.8, markersize=5, markevery=every, label=in_legend(name))
        tell(line, name, every_x, trace.gaps)
        if average:  # not in the legend, whose title says what is thin
            thin = {"color": style["color"], "linestyle": style["linestyle"], "linewidth": 0.7, "alpha": 0.8}
            (line,) = ax.plot(*thinned(every_x, positive(trace.average_gaps)), **thin)
            tell(line, f"average of {name}", every_x, trace.average_gaps)
    for trace, slope in zip(traces, predicted or (), strict=predicted is not None):
        if slope is not None:
            _draw_slope(ax, trace, slope, against)
    ax.set_yscale("log")
    if not any(np.any(trace.gaps > 0) for trace in traces):
        ax.text(0.5, 0.5, "every gap is zero", transform=ax.transAxes, ha="center")
    lengths = [float(getattr(trace, against)[-1]) for trace in traces]
    if max(lengths) > SIMILAR * min(lengths):
        ax.set_xscale("symlog", linthresh=10)
    ax.set_xlim(left=0)
    ax.set_xlabel("products (matrix-vector products for all players)" if against == "products" else "iterations")
    units = {trace.game.units for trace in traces}
    ax.set_ylabel(f"duality gap, NashConv ({units.pop() if len(units) == 1 else 'units of each game'})")
    games = {trace.game.name for trace in traces}
    put_title(ax, games.pop() if len(games) == 1 else f"{len(games)} games")
    ax.grid(True, which="major", linewidth=0.4, color="#cccccc")
    put_legend(ax, title="thick: last iterate; thin: average" if average else None)
    return ax


def plot_simplex(traces: Trace | Sequence[Trace], *, labels: Sequence[str] | None = None, ax: Axes | None = None) -> Axes:
    """Trajectories of a game of three actions in its simplex, with its Nash equilibrium.

    Raises
    ------
    InputError
        When the game has more than one block, or not three actions.
    """
    runs = [traces] if isinstance(traces, Trace) else list(traces)
    game = runs[0].game
    if game.blocks != (3,):
        raise InputError(f"A simplex plot needs a symmetric game of three actions; {game.name} has {' + '.join(map(str, game.blocks))}.")
    ax = new_axes(ax, (6.8, 4.6))
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
    outline = corners[[0, 1, 2, 0]]
    ax.plot(outline[:, 0], outline[:, 1], color="black", linewidth=0.8)
    names = game.labels[0] if game.labels else ("action 1", "action 2", "action 3")
    for corner, name, side in zip(corners, names, ("top", "top", "bottom"), strict=True):
        ax.annotate(
            brief(name, LONGEST_LABEL), corner, xytext=(0, -6 if side == "top" else 6), textcoords="offset points", ha="center", va=side, parse_math=False
        )
    for index, (run, name) in enumerate(zip(runs, list(labels) if labels is not None else names_of(runs), strict=True)):
        kept = np.unique(np.linspace(0, len(run.log_policies) - 1, min(len(run.log_policies), MOST_POINTS)).astype(int))
        path = np.exp(run.log_policies[kept]) @ corners
        style = look(index)
        ax.plot(path[:, 0], path[:, 1], **style, linewidth=1.0, markersize=7, markevery=[len(path) - 1], label=in_legend(name))
        ax.plot(*path[0], marker="o", markersize=6, markerfacecolor="white", color=style["color"])
    target = nash(game).policy @ corners
    ax.plot(*target, marker="*", markersize=13, color="black", markerfacecolor="white", linestyle="none", label="Nash equilibrium")
    ax.set_aspect("equal")
    ax.set_axis_off()
    put_title(ax, game.name, pad=22)  # above the upper corner's name
    put_legend(ax, beside=True)
    return ax


def plot_policies(trace: Trace, *, ax: Axes | None = None) -> Axes:
    """How likely each action was at the recorded steps of a run, for the (at most seven) actions that were ever the most likely ones.

    Parameters
    ----------
    trace : Trace
    ax : Axes, optional
        Where to draw; default a new figure.
    """
    ax = new_axes(ax, (7.2, 4.0))
    policies, game = np.exp(trace.log_policies), trace.game
    shown = np.sort(np.argsort(-policies.max(axis=0), kind="stable")[:MOST_ACTIONS])
    players = [f"player {number + 1}, " if len(game.blocks) > 1 else "" for number in range(len(game.blocks))]
    named = game.labels or [[f"action {i + 1}" for i in range(size)] for size in game.blocks]
    labels = [player + name for player, names in zip(players, named, strict=True) for name in names]
    for index, action in enumerate(shown):
        x, y = thinned(trace.policy_iterations, policies[:, action])
        every = (0.05 * index / len(shown), 0.12)
        (line,) = ax.plot(x, y, **look(index), markersize=4, markevery=every, linewidth=1.2, label=in_legend(labels[action]))
        tell(line, labels[action], trace.policy_iterations, policies[:, action])
    ax.set_xlim(left=0)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("iterations")
    ax.set_ylabel("probability")
    more = f", {len(shown)} of {game.actions:,} actions" if len(shown) < game.actions else ""
    put_title(ax, f"{brief(game.name, 200)}: the policy over the run{more}")
    ax.grid(True, which="major", linewidth=0.4, color="#cccccc")
    put_legend(ax, beside=True)
    return ax


def _draw_slope(ax: Axes, trace: Trace, slope: Slope, against: str) -> None:
    """The predicted line, through the middle of the recorded gaps of its window: on a logarithmic scale the mean distance to them is zero."""
    factor, (first, last) = slope
    inside = (trace.iterations >= first) & (trace.iterations <= last) & (trace.gaps > 0)
    if not np.any(inside) or not factor > 0:
        return
    times = trace.iterations[inside]
    height = np.mean(np.log(trace.gaps[inside]) - times * np.log(factor))
    # Not further than the gaps reach: what diverges, or is predicted in vain, would leave the picture, and float64.
    lowest, highest = np.log(np.min(trace.gaps[inside])), np.log(np.max(trace.gaps[inside]))
    reach = np.sort((np.array([lowest - MARGIN, highest + MARGIN]) - height) / np.log(factor)) if factor != 1 else np.array([-np.inf, np.inf])
    ends = np.clip([times[0], times[-1]], *reach)
    x = np.interp(ends, trace.iterations, getattr(trace, against))
    once = None if any(line.get_label() == PREDICTED for line in ax.lines) else PREDICTED
    ax.plot(x, np.exp(height + ends * np.log(factor)), color="#666666", linestyle=(0, (5, 3)), linewidth=1.6, zorder=3, label=once)


def names_of(traces: Sequence[Trace]) -> list[str]:
    """Short names of the runs: the algorithm's; where two share it, with the settings in which they differ, or the game, or a number."""
    short = [_short_name(trace.algorithm) for trace in traces]
    settings = [{} if isinstance(trace.algorithm, str) else settings_of(trace.algorithm) for trace in traces]
    names = []
    for trace, name, mine in zip(traces, short, settings, strict=True):
        others = [theirs for other, theirs in zip(short, settings, strict=True) if other == name]
        differing = [
            f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
            for key, value in mine.items()
            if any(theirs.get(key) != value for theirs in others)
        ]
        games = {other.game.name for other, theirs in zip(traces, short, strict=True) if theirs == name}
        full = f"{name}:{','.join(differing)}" if differing else name
        full = f"{full} on {trace.game.name}" if len(games) > 1 else full
        names.append(full)
    return [name if names.count(name) == 1 else f"{name} ({names[: index + 1].count(name)})" for index, name in enumerate(names)]


def _short_name(algorithm: Any) -> str:
    """`mpo`, or the class of a user's own; a run from elsewhere has a name already."""
    if isinstance(algorithm, str):
        return algorithm
    spec = to_spec(algorithm)
    return (spec.rpartition(":")[0] if settings_of(algorithm) else spec).rpartition(":")[2]
