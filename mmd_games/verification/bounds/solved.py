"""The regularised equilibria of a run's stages, each computed once for all checks, with a bound on its error that does not rest on the solver."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmd_games.algorithms import LogLinear, State
from mmd_games.equilibria import regularised_equilibria_near, regularised_equilibrium
from mmd_games.equilibria.regularised import WEAKEST
from mmd_games.games.game import Game
from mmd_games.loop.feedback import Exact, Payoffs
from mmd_games.loop.stack import log_linear_of
from mmd_games.loop.trace import Trace
from mmd_games.verification.bounds.known import KnownSteps
from mmd_games.verification.bounds.rounding import UNIT, logit_residual, target_shift
from mmd_games.verification.bounds.stage_policies import StagePolicies, in_parts

MOST_STAGES, FEWEST_STAGES = 200, 3
"""How many stages of a run are solved: as many as cost no more than the run did, a solution being about as dear as 2n products."""
LARGEST_SYSTEM = 2000
"""In games of more actions a regularised equilibrium is found by products alone, not by a system of n × n."""
SOLVED = 1e-6
"""A regularised equilibrium known less well than this (see `logit_residual`) is not used."""
BETWEEN_LOOKS = 10
"""Steps between two looks at the residual of an equilibrium found by products."""


@dataclass(frozen=True, eq=False)
class SolvedStage:
    """A stage and its regularised equilibrium π*.

    Attributes
    ----------
    step_size, magnet_strength : float
    log_magnet, log_policy : array (actions,)
        log ρ, and t ≈ log π*.
    error : float
        Bound on √(KL(t‖π*) + KL(π*‖t)).
    ratio : float
        L/α.
    times : array (known,) of int
        Iterations of this stage at which the policy is known: the recorded ones, its first and its last.
    log_policies : array (known, actions)
    """

    step_size: float
    magnet_strength: float
    log_magnet: np.ndarray
    log_policy: np.ndarray
    error: float
    ratio: float
    times: np.ndarray
    log_policies: np.ndarray

    def shift(self, game: Game) -> np.ndarray:
        """How far KL(π*‖π) of the known policies may be from KL(t‖π): (known,)."""
        return target_shift(self.error, self.ratio, self.log_policy, self.log_policies, game.blocks)

    @property
    def log_error(self) -> float:
        """Bound on the difference of t and log π*, one constant a block left out: log t − log π* = (q(t) − q(π*))/α + the residual."""
        return self.error * (1 + self.ratio)


@dataclass(frozen=True, eq=False)
class SolvedStages:
    """Some stages of a run, solved; or the reason why none are.

    Attributes
    ----------
    stages : tuple of SolvedStage
    total : int
        Stages of the run.
    unsolved : int
        Chosen stages whose equilibrium could not be computed.
    reason : str
        Why there is nothing to be solved; empty where there is.
    large : bool
        Whether only products were to be had, the system being too large.
    """

    stages: tuple[SolvedStage, ...]
    total: int
    unsolved: int = 0
    reason: str = ""
    large: bool = False

    @cached_property
    def parts(self) -> tuple[StagePolicies, ...]:
        """The known policies of all stages as arrays, made once for all checks."""
        return tuple(in_parts(self.stages))

    @property
    def missing(self) -> str:
        """Why some are missing, as a sentence."""
        if not self.large:
            return f"{self.unsolved} regularised equilibria could not be computed."
        return f"beyond {LARGEST_SYSTEM:,} actions a regularised equilibrium is sought by products alone, and as many as the run's do not reach {self.unsolved} of them."

    @property
    def extent(self) -> str:
        """How many stages were looked at, as the end of a sentence."""
        return f"in {len(self.stages):,} of {self.total:,} stages" if self.total > 1 else "in the one stage"


def solve_stages(trace: Trace) -> SolvedStages:
    """Solve the stages of a run: all of them where that costs no more than the run did, else the first, the last and some evenly between.

    Parameters
    ----------
    trace : Trace
    """
    rule, total, reason = log_linear_of(trace.algorithm), len(trace.stages), _why_nothing(trace)
    if rule is None or reason:
        return SolvedStages((), total, reason=reason)
    products = int(trace.products[-1])
    large = trace.game.actions > LARGEST_SYSTEM
    number = FEWEST_STAGES if large else min(MOST_STAGES, max(FEWEST_STAGES, products // (2 * trace.game.actions)))
    chosen = np.unique(np.linspace(0, total - 1, min(total, number)).round().astype(int))
    solved = _solve(trace, KnownSteps(trace, rule), chosen, products // len(chosen))
    return SolvedStages(solved, total, len(chosen) - len(solved), large=large)


def _why_nothing(trace: Trace) -> str:
    """Why a run has no regularised equilibria, or none that can be computed; empty where it has."""
    rule = log_linear_of(trace.algorithm)
    if rule is None or len(trace.stages) == 0:
        return "the run's settings are not known."
    if rule.magnet == "absent":
        return "there is no magnet."
    if not rule.steady:
        return "magnet or settings move at every step."
    scale, strength = float(trace.game.scale), float(np.min(trace.stages.magnet_strengths))
    if scale == 0:
        return "the game has no payoffs."
    if strength < 10 * WEAKEST * scale or strength < np.finfo(np.float64).tiny / UNIT:
        return "the magnet is too weak for its regularised equilibrium to be computed."
    if np.any(np.isneginf(trace.log_policies[0])) and rule.uniform_reference:
        return "the start never plays what the magnet does, so KL is infinite throughout."
    return ""


def _solve(trace: Trace, known: KnownSteps, chosen: np.ndarray, products: int) -> tuple[SolvedStage, ...]:
    """Those of the chosen stages of which some policies are known, less those whose equilibrium cannot be computed well enough."""
    begins, ends = known.of_stages(chosen)
    chosen, begins, ends = (each[ends > begins] for each in (chosen, begins, ends))
    if not len(chosen):
        return ()
    game, scale = trace.game, float(trace.game.scale)
    strengths, log_magnets = trace.stages.magnet_strengths[chosen], trace.stages.log_magnets[chosen]
    last = known.log_policies(ends - 1)
    if game.actions > LARGEST_SYSTEM:
        log_policies = np.array([_by_products(game, *given, products) for given in zip(strengths.tolist(), log_magnets, last, strict=True)])
    else:
        log_policies, converged = regularised_equilibria_near(game, strengths, log_magnets, last)
        for row in np.flatnonzero(~converged):
            alone = regularised_equilibrium(game, magnet_strength=strengths[row], log_magnet=log_magnets[row], log_start=last[row])
            log_policies[row] = alone.log_policy
    errors = logit_residual(game, log_policies, log_magnets, strengths)
    counts = ends - begins
    stops = np.cumsum(counts)
    gathered = known.log_policies(np.arange(stops[-1]) + np.repeat(begins - stops + counts, counts))
    return tuple(
        SolvedStage(
            step_size=float(trace.stages.step_sizes[chosen[row]]),
            magnet_strength=float(strengths[row]),
            log_magnet=log_magnets[row],
            log_policy=log_policies[row],
            error=float(errors[row]),
            ratio=scale / float(strengths[row]),
            times=known.steps[begins[row] : ends[row]],
            log_policies=gathered[stops[row] - counts[row] : stops[row]],
        )
        for row in np.flatnonzero(errors <= SOLVED).tolist()
    )


def _by_products(game: Game, strength: float, log_magnet: np.ndarray, start: np.ndarray, products: int) -> np.ndarray:
    """Policy-update steps at η = 1/(α + L), for which KL falls by 1 − ηα a step (see `contraction`), until the residual stops falling or the products are spent."""
    step_size = 1.0 / (strength + float(game.scale))
    rule = LogLinear(step_size=step_size, magnet_strength=strength, magnet="fixed", explicit=True, evaluation="half_step")
    payoffs, state = Payoffs(game, Exact()), State(start, log_magnet, step_size, strength, 0, None)
    best, error = start, math.inf
    while payoffs.products < products:
        now = logit_residual(game, state.log_policy, log_magnet, strength)
        if now >= 0.9 * error:
            break
        best, error = state.log_policy, now
        for _ in range(BETWEEN_LOOKS):
            state = rule.step(state, payoffs)
    return best
