r"""The gap of the regularised game, and how near the gap of the original one is to its plateau.

With p the players a block stands for and BR(π) = softmax(log ρ + q(π)/α), the regularised gap is G(π) = pα·KL(π‖BR(π)). As log BR(π) − log π* is (q(π) − q(π*))/α up to
constants, and ⟨π − π*, q(π) − q(π*)⟩ = 0,

    KL(π‖BR(π)) = KL(π‖π*) + Σ log E_{π*} exp(x − E x),   x = (q(π) − q(π*))/α,

where Jensen and Hoeffding put each logarithm between 0 and half the square of half the range of x, so by Pinsker

    pα·KL(π‖π*) ≤ G(π) ≤ pα·KL(π‖π*) + (pL²/α)·KL(π*‖π).

The original gap is first order: |gap(π) − gap(π*)| ≤ 2L·√(2·KL(π*‖π)).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from mmd_games.arrays import kl, log_normalise
from mmd_games.games.game import Game
from mmd_games.loop.trace import Trace
from mmd_games.verification.bounds.rounding import UNIT, gap_rounding, kl_rounding, payoff_rounding, shifted_root
from mmd_games.verification.bounds.solved import SolvedStages, solve_stages
from mmd_games.verification.bounds.stage_policies import StagePolicies
from mmd_games.verification.verdicts import Claim, Question, Verdict

STATEMENT = "The regularised gap lies within its bounds in KL(π‖π*) and KL(π*‖π), and the gap within 2L√(2 KL(π*‖π)) of the plateau's (share of the bound)"


def check_regularised_gap(trace: Trace, solved: SolvedStages | None = None) -> Claim:
    """The two-sided bounds of the regularised gap, and the first-order bound of the original one, at every known policy.

    They hold for every policy, so they judge less the run than the regularised equilibria that :func:`check_contraction` rests on: a wrong one, or one of another magnet,
    strength or game, breaks them.

    Parameters
    ----------
    trace : Trace
    solved : SolvedStages, optional
        Where they have been computed.
    """
    solved = solve_stages(trace) if solved is None else solved
    if solved.reason:
        return _claim(None, Verdict.NOT_APPLICABLE, solved.reason)
    if not solved.stages:
        return _claim(None, Verdict.INCONCLUSIVE, solved.missing)
    checked, worst = 0, (-math.inf, 0, "")
    for policies in solved.parts:
        excess, sentence_of = _excess(trace.game, policies)
        row = int(np.argmax(excess))
        checked += len(excess)
        worst = max(worst, (float(excess[row]), int(policies.times[row]), sentence_of(row)), key=lambda each: (math.isnan(each[0]), each[0]))
    share, iteration, sentence = worst
    if not share <= 1:
        return _claim(share, Verdict.REFUTED, f"broken at iteration {iteration:,}: {sentence}.")
    return _claim(share, Verdict.CONFIRMED, f"holds at {checked:,} known policies {solved.extent}.")


def _excess(game: Game, policies: StagePolicies) -> tuple[np.ndarray, Callable[[int], str]]:
    """What share of its bound, rounding included, the tightest of the three inequalities uses at each known policy, and that inequality in words."""
    strength, unit, scale = policies.strength, game.players_per_block * policies.strength, float(game.scale)
    log_policies, log_targets = policies.log_policies, policies.log_targets[policies.stage]
    payoffs = game.payoffs(np.exp(log_policies))
    answers = log_normalise(policies.log_magnets[policies.stage] + payoffs / strength[:, None], game.blocks)
    gaps, here, there = (np.asarray(kl(*pair)) for pair in ((log_policies, answers), (log_policies, log_targets), (log_targets, log_policies)))
    relative = kl_rounding(game.actions)
    # Both roots are known up to what an error in the logits of their second argument makes of them.
    logs = policies.largest_log + game.largest_payoff / strength
    root = shifted_root(payoff_rounding(game) / strength + 8 * UNIT * logs + policies.log_error, game.blocks)
    low, high = (np.sqrt(gaps) - root).clip(min=0) ** 2 * (1 - relative), (np.sqrt(gaps) + root) ** 2 * (1 + relative)
    here_low, here_high = (np.sqrt(here) - root).clip(min=0) ** 2 * (1 - relative), (np.sqrt(here) + root) ** 2 * (1 + relative)
    there_high = there * (1 + relative) + policies.shift(game)
    above = here_high + policies.ratio**2 * there_high
    plateau = game.gap_of_payoffs(game.payoffs(np.exp(policies.log_targets)))[policies.stage]
    apart = np.abs(game.gap_of_payoffs(payoffs) - plateau)
    allowed = 2 * scale * (np.sqrt(2 * there_high) + policies.error) + 2 * gap_rounding(game)
    shares = np.array([_share(here_low, high), _share(low, above), _share(apart, allowed)])
    tightest = np.argmax(shares, axis=0)
    words = (
        lambda row: f"2α KL(π‖π*) is {unit[row] * here[row]:.3e}, more than the regularised gap {unit[row] * gaps[row]:.3e}",
        lambda row: f"the regularised gap is {unit[row] * gaps[row]:.3e}, more than its upper bound {unit[row] * above[row]:.3e}",
        lambda row: f"the gap differs by {apart[row]:.3e} from the plateau's {plateau[row]:.3e}, more than the {allowed[row]:.3e} that KL allows",
    )
    return shares.max(axis=0), lambda row: words[tightest[row]](row)


def _share(measured: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """Measured over bound; 0 where both are 0."""
    return np.divide(measured, bound, out=np.where(measured > 0, np.inf, 0.0), where=bound > 0)


def _claim(measured: float | None, verdict: Verdict, detail: str) -> Claim:
    return Claim("regularised_gap", STATEMENT, 1.0, measured, verdict, detail, hard=True, question=Question.GUARANTEED)
