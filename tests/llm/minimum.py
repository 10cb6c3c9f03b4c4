"""Where a loss of log-probabilities has its minimum, over all policies of a few completions: what a language model without limits would be fitted to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor


def minimum(loss: Callable[[Tensor], Tensor], completions: int) -> np.ndarray:
    """The log-policy at which `loss`, a function of the log-policy (completions,), is minimal: Newton on the logits in float64, from the uniform policy."""

    def of_logits(logits: Tensor) -> Tensor:
        return loss(torch.log_softmax(logits, -1))

    logits = torch.zeros(completions, dtype=torch.float64)
    for _ in range(60):
        point = logits.clone().requires_grad_()
        value = of_logits(point)
        (slope,) = torch.autograd.grad(value, point)
        curvature = torch.autograd.functional.hessian(of_logits, logits)
        # A constant of the logits changes nothing: the pseudo-inverse leaves it alone.
        direction = -torch.linalg.pinv(curvature, hermitian=True, rtol=1e-10) @ slope
        length = 1.0
        while length > 1e-10 and not of_logits(logits + length * direction) <= value:
            length /= 2
        if length <= 1e-10 or not torch.any(direction.abs() > 1e-15):
            break
        logits = logits + length * direction
    point = logits.clone().requires_grad_()
    (slope,) = torch.autograd.grad(of_logits(point), point)
    assert slope.abs().max() < 1e-9, "Newton did not come to a stationary point"
    return torch.log_softmax(logits, -1).numpy()
