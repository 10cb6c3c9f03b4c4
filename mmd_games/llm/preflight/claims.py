"""A forecast as claims: the judge's own questions, asked before the run."""

from __future__ import annotations

import math

from mmd_games.digits import number
from mmd_games.llm.preflight.forecast import OFTEN_ABSENT, Forecast
from mmd_games.llm.preflight.fraction import equivalent_step
from mmd_games.llm.preflight.probing import Probe
from mmd_games.llm.preflight.words import Outlook
from mmd_games.verification import Claim, Question, Verdict

RARE = 5.0
"""Completions that are drawn less often a group are beyond the first order of the predicted floor."""
WHOLE = 0.5, 2.0
"""A fraction of an update between these is about the whole of it."""
LOST = 0.1
"""One below this is hardly any of it."""
CLOSE = 0.25
"""By how much the predicted floor may be off where they are not: see `noise`."""


def claims_of(made: Forecast) -> tuple[Claim, ...]:
    """What is claimed of a run on a table, in the order in which a reader asks."""
    return (_reaches(made), _in_time(made), _equilibrium(made), _settles(made), _floor(made), _support(made))


def claim_of_fit(found: Probe, made: Forecast) -> Claim:
    """What the model's gradient steps realise."""
    settings = made.settings
    whole, lost = WHOLE[0] <= found.fraction <= WHOLE[1] and found.detour <= found.fraction, found.fraction < LOST or made.outlook is Outlook.DETACHED
    return Claim(
        "fit",
        f"Gradient steps, {settings.inner_steps:,} a rollout at a learning rate of {settings.learning_rate:g}, make about the whole of each update and little beside it",
        1.0,
        found.fraction,
        Verdict.CONFIRMED if whole else Verdict.REFUTED if lost else Verdict.INCONCLUSIVE,
        f"the fraction of each update that {found.rollouts:,} rollouts of the model realised; what moved beside it is {found.detour:.2f} times as long as the update",
        question=Question.PREDICTED,
    )


def _reaches(made: Forecast) -> Claim:
    """The play itself, which decides."""
    how = f"{made.fraction:.3g} of each update realised" if made.fitting.tangent is None else "the model's tangent learning by the run's own optimizer"
    said = f"{made.play.gaps.shape[0]} plays from a gap of {made.play.start:.3g}, {how}"
    return Claim(
        "reaches",
        f"Played on the table, the gap of the last fifth of {made.settings.max_rollouts:,} rollouts is at most {made.settings.target_gap:g}",
        None,
        made.play.mean,
        made.verdict,
        said,
        made.play.interval,
        question=Question.CONVERGED,
    )


def _in_time(made: Forecast) -> Claim:
    reached, budget = made.play.reached(made.settings.target_gap), made.settings.max_rollouts
    when = None if reached is None else float(reached + made.table.first)
    slowest = made.slowest
    rate = None if slowest is None or slowest.rate is None else slowest.rate
    said = "theory is silent on the rate" if rate is None else f"theory's factor near the equilibrium is {number(rate)} a rollout"
    return Claim(
        "in_time", f"It comes there within the budget of {budget:,} rollouts", None, when, _verdict(when is not None), said, question=Question.CONVERGED
    )


def _equilibrium(made: Forecast) -> Claim:
    target, statement = made.settings.target_gap, "The magnet leads to the game's equilibrium, not to one of its own"
    if made.settings.magnet_strength == 0:
        return Claim(
            "equilibrium",
            statement,
            None,
            None,
            Verdict.REFUTED,
            "there is no magnet: the last iterate diverges from every mixed equilibrium",
            question=Question.EQUILIBRIUM,
        )
    if made.plateau is None:
        said = f"it moves (refresh_every is {made.settings.refresh_every:,}), so its own equilibrium is not where play ends"
        return Claim("equilibrium", statement, None, None, Verdict.CONFIRMED, said, question=Question.EQUILIBRIUM)
    said = f"it never moves: play ends at a gap of {made.plateau:.3g}, where {target:g} was wanted"
    return Claim("equilibrium", statement, made.plateau, None, _verdict(made.plateau <= target), said, question=Question.EQUILIBRIUM)


def _settles(made: Forecast) -> Claim:
    """Theory's own answer to the refresh interval and the step size."""
    slowest, statement = made.slowest, "Theory predicts that play comes nearer to its limit with every refresh"
    if slowest is None:
        declined = next((prediction.declined for prediction in made.predictions), "no step size does what these gradient steps do")
        return Claim("settles", statement, None, None, Verdict.NOT_APPLICABLE, declined, question=Question.LINEAR)
    said = slowest.detail or f"factor {number(slowest.factor or 0.0)} a {slowest.unit}; {slowest.slowest_part}"
    if made.fraction != 1:
        said += f" ({made.fraction:.3g} of a step of {made.settings.step_size:g} is a step of {_step(made):.3g})"
    verdict = {"linear": Verdict.CONFIRMED, "diverges": Verdict.REFUTED}.get(slowest.kind, Verdict.INCONCLUSIVE)
    return Claim("settles", statement, slowest.factor, None, verdict, said, question=Question.LINEAR, assumed=slowest.assumptions)


def _step(made: Forecast) -> float:
    """η' of the exact steps that these amount to."""
    return equivalent_step(made.settings.step_size, made.settings.magnet_strength, made.fraction) or math.nan


def _floor(made: Forecast) -> Claim:
    target, statement = made.settings.target_gap, "The noise of groups and votes leaves a gap below the target"
    if not math.isfinite(made.floor):
        return Claim("floor", statement, None, None, Verdict.NOT_APPLICABLE, "play has no stationary state with these settings", question=Question.PREDICTED)
    verdict = _verdict(made.floor <= target) if abs(made.floor / target - 1) > CLOSE else Verdict.INCONCLUSIVE
    votes = f"judge_votes of {made.settings.judge_votes:,}" if made.settings.judge_votes else "a judge without noise"
    said = f"groups of {made.settings.group_size} and {votes}: to first order; it falls with the square root of the group's size"
    if made.rarest < RARE:
        verdict, said = (verdict if verdict is Verdict.CONFIRMED else Verdict.INCONCLUSIVE), f"{said}; the rarest completion is beyond the first order"
    return Claim("floor", statement, made.floor, None, verdict, said, question=Question.PREDICTED)


def _support(made: Forecast) -> Claim:
    said = f"the rarest is expected {made.rarest:.2g} times a group; those that were in none, in the last fifth of the play: {100 * made.play.absent:.0f}%"
    return Claim(
        "support",
        "Groups hold the completions that the equilibrium plays",
        None,
        1 - made.play.absent,
        _verdict(made.play.absent <= OFTEN_ABSENT),
        said,
        question=Question.PREDICTED,
    )


def _verdict(holds: bool) -> Verdict:
    return Verdict.CONFIRMED if holds else Verdict.REFUTED
