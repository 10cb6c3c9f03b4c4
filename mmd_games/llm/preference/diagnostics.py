"""Can a table of judgements be trusted? Antisymmetry, cycles, position bias; and the repair of a table whose two orders disagree."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmd_games.errors import InputError


def symmetrised(table: Tensor) -> Tensor:
    """P with P_ij + P_ji = 1: the mean of P_ij and 1 − P_ji where both are known, the known one where only one is, NaN where none is.

    Parameters
    ----------
    table : tensor (..., K, K)

    Returns
    -------
    tensor (..., K, K)

    Examples
    --------
    >>> symmetrised(torch.tensor([[0.5, 0.75], [0.75, 0.5]])).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    >>> symmetrised(torch.tensor([[0.5, 0.75], [torch.nan, 0.5]])).tolist()
    [[0.5, 0.75], [0.25, 0.5]]
    """
    mirror = 1 - table.mT
    mean = (table + mirror) / 2
    return torch.where(torch.isnan(table), mirror, torch.where(torch.isnan(mirror), table, mean))


@dataclass(frozen=True)
class Diagnosis:
    """What a table of judgements says of its judge. `None` where nothing could be measured.

    Attributes
    ----------
    groups, size : int
        B prompts of K completions each.
    antisymmetry_mean, antisymmetry_max : float or None
        Of the distance of P_ij + P_ji from 1, over the pairs of which both are known.
    cycle_rate : float or None
        Share of cycles (i beats j beats k beats i) among the triples whose three pairs are decided.
    decided_triples : int
    position_bias : float or None
        Mean of P_ij − 1/2 over the ordered pairs of which both orders are known. Where ``table[i, j]`` was judged with i shown first, as in the tables of a
        model's ``by_order``, this is how much more than half the time the first one wins.
    missing : float
        Share of NaN among the ordered pairs.
    """

    groups: int
    size: int
    antisymmetry_mean: float | None
    antisymmetry_max: float | None
    cycle_rate: float | None
    decided_triples: int
    position_bias: float | None
    missing: float

    def __str__(self) -> str:
        if self.antisymmetry_mean is None:
            orders = "antisymmetry and position bias: not known, no pair was judged in both orders"
        else:
            orders = (
                f"antisymmetry error |P_ij + P_ji − 1|: {self.antisymmetry_mean:.3g} on average, {self.antisymmetry_max:.3g} at most\n"
                f"position bias (first shown wins, less 1/2): {self.position_bias:+.3g}"
            )
        if self.cycle_rate is None:
            cycles = "cycles: not known, no three completions are all decided"
        else:
            cycles = f"cycles: {self.cycle_rate:.1%} of {self.decided_triples:,} decided triples"
        return f"{self.groups} prompts × {self.size} completions\n{orders}\n{cycles}\nfailed judgements: {self.missing:.1%}"

    def to_dict(self) -> dict[str, Any]:
        """The numbers, by name."""
        return dataclasses.asdict(self)


def diagnose(table: Tensor | np.ndarray, *, margin: float = 1e-9) -> Diagnosis:
    """Measure a table of judgements.

    Parameters
    ----------
    table : tensor (B, K, K) or (K, K)
        ``table[b, i, j]`` is the probability that i is preferred to j, judged with i shown first where the judge is shown one first; NaN where it failed.
        A table whose orders were averaged already has no antisymmetry error and no position bias: take that of ``by_order``.
    margin : float
        A pair is decided where its symmetrised probability is further than this from 1/2; the default is rounding.

    Raises
    ------
    InputError
        For a table that is not square, or a margin outside [0, 1/2).

    Examples
    --------
    >>> print(diagnose(torch.tensor([[0.5, 0.9, 0.2], [0.1, 0.5, 0.9], [0.8, 0.1, 0.5]], dtype=torch.float64)))
    1 prompts × 3 completions
    antisymmetry error |P_ij + P_ji − 1|: 0 on average, 0 at most
    position bias (first shown wins, less 1/2): +0
    cycles: 100.0% of 1 decided triples
    failed judgements: 0.0%
    """
    values = torch.as_tensor(table).to("cpu", torch.float64)
    values = values[None] if values.ndim == 2 else values
    if values.ndim != 3 or values.shape[1] != values.shape[2] or values.shape[1] < 2:
        raise InputError(f"A table of judgements has shape (prompts, K, K) with K of at least 2, got {tuple(torch.as_tensor(table).shape)}.")
    if not 0 <= margin < 0.5:
        raise InputError(f"margin must be at least 0 and below 1/2, got {margin!r}.")
    groups, size = values.shape[:2]
    others = ~torch.eye(size, dtype=torch.bool)
    known = ~torch.isnan(values) & others
    both = known & known.mT
    error = (values + values.mT - 1).abs()[both]
    error = torch.where(error > 4 * torch.finfo(torch.float64).eps, error, 0.0)  # two roundings of numbers up to 2 are no disagreement
    lead = torch.nan_to_num(symmetrised(values) - 0.5) * others
    cycles, decided = _triples(lead, margin)
    return Diagnosis(
        groups=groups,
        size=size,
        antisymmetry_mean=float(error.mean()) if len(error) else None,
        antisymmetry_max=float(error.max()) if len(error) else None,
        cycle_rate=cycles / decided if decided else None,
        decided_triples=decided,
        position_bias=_rounded(float(values[both].mean()) - 0.5) if len(error) else None,
        missing=1 - int(known.sum()) / (groups * size * (size - 1)),
    )


def _triples(lead: Tensor, margin: float) -> tuple[int, int]:
    """How many triples are cycles, and how many are decided, from P − 1/2: closed walks of three steps, counted by traces of cubes."""
    beats = (lead > margin).to(torch.float64)
    compared = beats + beats.mT
    # Each cycle is three closed walks, one from each of its members; each decided triple is six. Sums of whole numbers below 2^53 are exact.
    return round(float(_walks(beats)) / 3), round(float(_walks(compared)) / 6)


def _walks(steps: Tensor) -> Tensor:
    return ((steps @ steps) * steps.mT).sum()


def _rounded(bias: float) -> float:
    """A bias below the rounding of a mean is none."""
    return 0.0 if math.isclose(bias, 0.0, abs_tol=1e-15) else bias
