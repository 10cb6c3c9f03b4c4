"""What a report says and in which order, whatever the form: facts, claims by question, likely actions, how to make it again."""

from __future__ import annotations

import itertools
import platform
import shlex
from typing import TYPE_CHECKING

import numpy as np

from mmd_games.arrays import block_slices
from mmd_games.digits import factor_of
from mmd_games.digits import number as number
from mmd_games.loop import Exact
from mmd_games.loop.told import feedback_spec
from mmd_games.loop.trace import Trace
from mmd_games.plots import Slope
from mmd_games.verification import Claim, Question, Verdict

if TYPE_CHECKING:
    from mmd_games.report.record import Report
    from mmd_games.verification.predicted import RatePrediction

STOPPED = {
    "budget": "ended when the budget was spent",
    "tolerance": "ended when the gap had come down to {gap:.3g}",
    "interrupted": "INTERRUPTED before the budget was spent",
    "unknown": "a run from elsewhere",
}
"""Why a run ended, in words."""
WORDS = (
    ("product", "the payoffs of all actions against one policy, for every player; a step takes one, where a method has a half step two."),
    ("refresh", "the magnet, the policy that play is pulled to, is put where play is."),
    ("stage", "the steps from one refresh to the next, all with one magnet."),
)
"""What a report speaks of, explained once."""
CODE_WIDTH = 100
"""Characters of a line of code on a page."""
LEAST_SHOWN = 5e-5
"""Smaller probabilities are 0.0000 to the four places that are printed."""


def facts(report: Report) -> list[tuple[str, str]]:
    """What was run and what came out, as (name, text)."""
    trace = report.trace
    spent = f"{trace.steps:,} steps, {int(trace.products[-1]):,} products"
    return [
        ("game", trace.game.describe()),
        ("algorithm", trace.algorithm_spec),
        ("start", start_of(trace)),
        ("run", f"{spent}; {STOPPED[trace.stopped].format(gap=trace.gap) if trace.stopped in STOPPED else trace.stopped}"),
        ("feedback", feedback_of(trace)),
        ("tolerance", f"{report.judgement.tolerance:.3g} (duality gap, NashConv, in units of the game)"),
        ("gap", f"{trace.gaps[0]:.4g} at the start, {trace.gap:.4g} at the end; of the average iterate {trace.average_gaps[-1]:.4g}"),
        ("policy", listed_policy(trace, trace.policy)),
        ("predicted", predicted_line(report.prediction)),
        *(("note", note) for note in (*trace.game.notes, *report.notes)),
    ]


def predicted_line(prediction: RatePrediction) -> str:
    """The predicted rate in one line, or why there is none."""
    if prediction.exponent is None:
        return f"nothing: {prediction.declined.rstrip('.')}"
    unit = f"{prediction.unit} of {prediction.steps_per_unit:,} steps" if prediction.steps_per_unit > 1 else prediction.unit
    per_step = f", {factor_of(prediction.exponent / prediction.steps_per_unit)} a step" if prediction.steps_per_unit > 1 else ""
    decides = f"; {prediction.slowest_part}" if prediction.slowest_part else ""
    return f"{prediction.kind}, at the {prediction.target_name}: factor {factor_of(prediction.exponent)} a {unit}{per_step}{decides}"


def by_question(report: Report) -> list[tuple[Question, list[Claim]]]:
    """The claims that apply, under the question that each answers, in the order in which a reader asks."""
    order = list(Question)
    said = sorted((claim for claim in report.claims if claim.verdict is not Verdict.NOT_APPLICABLE), key=lambda claim: order.index(claim.question))
    return [(question, list(claims)) for question, claims in itertools.groupby(said, key=lambda claim: claim.question)]


def feedback_of(trace: Trace) -> str:
    """What the players were told, as the command line has it: `exact`, `sampled:opponents=16,seed=0`; a feedback of one's own as it calls itself."""
    return feedback_spec(trace.feedback) or trace.feedback


def brief_statement(claim: Claim) -> str:
    """What is claimed, without what is measured of it: what follows a colon, or stands in brackets at the end."""
    text = claim.statement
    if text.endswith(")"):
        depths = itertools.accumulate((character == ")") - (character == "(") for character in reversed(text))
        opened = len(text) - next((place for place, depth in enumerate(depths, start=1) if depth == 0), 0)
        text = text[:opened].rstrip()
    return text.partition(": ")[0]


def not_applicable(report: Report) -> list[Claim]:
    """The claims that say nothing of this run."""
    return [claim for claim in report.claims if claim.verdict is Verdict.NOT_APPLICABLE]


def assumptions(report: Report) -> dict[str, int]:
    """Every sentence that some claim rests on, with the number under which it is listed, counted from 1."""
    sentences = dict.fromkeys(sentence for _, claims in by_question(report) for claim in claims for sentence in claim.assumed)
    return {sentence: index for index, sentence in enumerate(sentences, start=1)}


def action_names(trace: Trace) -> list[list[str]]:
    """Names of the actions, player by player: labels, or numbers from 1."""
    if trace.game.labels:
        return [list(names) for names in trace.game.labels]
    kinds = ("action",) if len(trace.game.blocks) == 1 else ("row", "column")
    return [[f"{kind} {i + 1:,}" for i in range(size)] for kind, size in zip(kinds, trace.game.blocks, strict=True)]


def listed_policy(trace: Trace, policy: np.ndarray) -> str:
    """The most likely actions of a policy, player by player."""
    parts = []
    for part, names in zip(block_slices(trace.game.blocks), action_names(trace), strict=True):
        own = policy[part]
        order = [int(i) for i in np.argsort(-own, kind="stable") if own[i] >= LEAST_SHOWN]
        shown = ", ".join(f"{names[i]}: {own[i]:.4f}" for i in order[:8])
        more = f" and {len(order) - 8:,} more" if len(order) > 8 else ""
        parts.append(f"{shown}{more}" if order else f"none of {len(own):,} actions above 0.00005")
    return " | ".join(parts)


def start_of(trace: Trace) -> str:
    """Where the run began: uniform, or its most likely actions."""
    if trace.policy_iterations[0] != 0:
        return f"not recorded; the first policy is that of step {int(trace.policy_iterations[0]):,}"
    logs = trace.log_policies[0]
    uniform = all(np.ptp(logs[part]) < 1e-12 for part in block_slices(trace.game.blocks) if np.all(np.isfinite(logs[part])))
    return "uniform" if uniform and np.all(np.isfinite(logs)) else listed_policy(trace, np.exp(logs))


def predicted_slope(report: Report) -> Slope | None:
    """The predicted factor of the gap a step and the iterations between which a plot shows it; None where nothing is predicted of this gap.

    With a fixed magnet the prediction is of the distance to a regularised equilibrium, where the game's own gap stands still.
    """
    prediction, trace = report.prediction, report.trace
    if prediction.target != "nash" or prediction.kind not in ("linear", "diverges") or not prediction.rate:
        return None
    return prediction.rate, report.convergence.window or (trace.steps // 2, trace.steps)


def versions() -> dict[str, str]:
    """What the report was made with."""
    from mmd_games import __version__  # which imports this module

    return {"mmd_games": __version__, "numpy": np.__version__, "python": platform.python_version()}


def reproduction(report: Report, width: int, trace: str = "trace.npz") -> list[str]:
    """The lines that make the report again: the command, broken where the shell allows it, or Python on the trace that is saved beside it."""
    return broken_command(report.reproduce, width) if report.reproduce else _in_python(report, trace)


def broken_command(command: str, width: int) -> list[str]:
    """A command in lines of at most `width` characters, broken where the shell allows it."""
    parts: list[str] = []
    for word in shlex.split(command):
        # An option stays with its value.
        if parts and parts[-1].startswith("--") and " " not in parts[-1] and not word.startswith("--"):
            parts[-1] += f" {shlex.quote(word)}"
        else:
            parts.append(shlex.quote(word))
    lines = parts[:1]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) > width - 3:
            lines[-1] += " \\"
            lines.append(f"    {part}")
        else:
            lines[-1] += f" {part}"
    return lines


def _in_python(report: Report, saved: str) -> list[str]:
    """Judge the saved trace, and run it again where algorithm and feedback are at hand: settings and start are in the trace."""
    trace = report.trace
    lines = ["import mmd_games as mg", f'trace = mg.Trace.load("{saved}")  # as it is saved beside the report']
    lines += [f"print(mg.verify(trace, tolerance={float(report.judgement.tolerance)!r}))"]
    ours = feedback_spec(trace.feedback) is not None
    if isinstance(trace.algorithm, str) or trace.policy_iterations[0] != 0 or not ours:
        return lines
    told = "" if trace.feedback == str(Exact()) else f", feedback=mg.{trace.feedback}"
    uniform = start_of(trace) == "uniform"
    start = "" if uniform else ", start=np.exp(trace.log_policies[0])"
    return [*([] if uniform else ["import numpy as np"]), *lines, f"again = mg.solve(trace.game, trace.algorithm, steps={trace.steps}{start}{told})"]
