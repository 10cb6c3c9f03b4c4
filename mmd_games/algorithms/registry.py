"""Algorithms by name: `mpo:step_size=0.1,refresh_every=50`, or a user's own class as `module:Class`."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any

from mmd_games import specs
from mmd_games.algorithms.adagrad import AdaGradExtragradient
from mmd_games.algorithms.adaptive import AdaptiveMPO
from mmd_games.algorithms.averaged import AverageToLast
from mmd_games.algorithms.magnetic import MagneticMirrorDescent, MagneticPreferenceOptimization, NashMirrorDescent, PolicyUpdate
from mmd_games.algorithms.magnetless import Extragradient, MultiplicativeWeights, OptimisticMultiplicativeWeights
from mmd_games.algorithms.preference_optimization import (
    IterativeNashPolicyOptimization,
    NashMirrorProx,
    OptimisticNashPolicyOptimization,
    SelfPlayPreferenceOptimization,
)
from mmd_games.algorithms.projected import BoostedGradientAscent, OptimisticGradientAscent, ProjectedExtragradient
from mmd_games.algorithms.proximal_loops import (
    AdaptivelyPerturbedMirrorDescent,
    ConvergentMetaAlignment,
    NashPolicyGradient,
    RegularisedNashDynamics,
)
from mmd_games.algorithms.regret_matching import PredictiveRegretMatchingPlus, RegretMatchingPlus, SmoothPredictiveRegretMatchingPlus
from mmd_games.algorithms.restarts import RestartedExtragradient, RestartedPrimalDual
from mmd_games.algorithms.softmax_gradients import ConsensusOptimization, HamiltonianDescent
from mmd_games.errors import InputError, unknown

ALGORITHMS: dict[str, type] = {
    "mpo": MagneticPreferenceOptimization,
    "adaptive_mpo": AdaptiveMPO,
    "mmd": MagneticMirrorDescent,
    "mwu": MultiplicativeWeights,
    "omwu": OptimisticMultiplicativeWeights,
    "extragradient": Extragradient,
    "pu": PolicyUpdate,
    "nash_md": NashMirrorDescent,
    "comal": ConvergentMetaAlignment,
    "kl_apmd": AdaptivelyPerturbedMirrorDescent,
    "nash_pg": NashPolicyGradient,
    "r_nad": RegularisedNashDynamics,
    "inpo": IterativeNashPolicyOptimization,
    "nash_mp": NashMirrorProx,
    "onpo": OptimisticNashPolicyOptimization,
    "sppo": SelfPlayPreferenceOptimization,
    "a2l_omwu": AverageToLast,
    "ogda": OptimisticGradientAscent,
    "projected_extragradient": ProjectedExtragradient,
    "gabp": BoostedGradientAscent,
    "adagrad_extragradient": AdaGradExtragradient,
    "restarted_extragradient": RestartedExtragradient,
    "restarted_pdhg": RestartedPrimalDual,
    "rm_plus": RegretMatchingPlus,
    "predictive_rm_plus": PredictiveRegretMatchingPlus,
    "smooth_predictive_rm_plus": SmoothPredictiveRegretMatchingPlus,
    "hamiltonian": HamiltonianDescent,
    "consensus": ConsensusOptimization,
}
ALIASES = {
    "hedge": "mwu",
    "eg": "extragradient",
    "mirror_prox": "extragradient",
    "egpo": "pu",
    "regularised_nash": "mmd",
    "apmd": "kl_apmd",
    "nashpg": "nash_pg",
    "rnad": "r_nad",
    "optimistic_gradient": "ogda",
    "prm_plus": "predictive_rm_plus",
    "sprm_plus": "smooth_predictive_rm_plus",
    "hgd": "hamiltonian",
}


def from_spec(spec: str) -> Any:
    """An algorithm from `name:key=value,…`, or from `module:Class` or `module:Class:key=value,…` for a class of the user's own.

    Raises
    ------
    InputError
        For an unknown name or key (the nearest is offered), a value out of range, or a class that has no ``init`` and ``step``.

    Examples
    --------
    >>> from_spec("mpo:refresh_every=50")
    MagneticPreferenceOptimization(step_size=None, magnet_strength=None, refresh_every=50, inner='mmd')
    """
    head, _, rest = spec.strip().partition(":")
    class_name, _, settings = rest.partition(":")
    if head not in ALGORITHMS and head not in ALIASES and class_name.isidentifier():
        return from_settings(f"{head}:{class_name}", specs.parse(f"{class_name}:{settings}")[1])
    name, values = specs.parse(spec)
    return from_settings(name, values)


def from_settings(name: str, settings: Mapping[str, Any]) -> Any:
    """An algorithm from its name and its settings, as text or as values (a TOML file's)."""
    known = ALGORITHMS.get(ALIASES.get(name, name))
    if known is not None:
        return specs.build(known, settings, f"algorithm '{name}'")
    module, _, class_name = name.partition(":")
    if not (module and class_name) or module.startswith("."):
        raise unknown("algorithm", name, [*ALGORITHMS, *ALIASES])
    try:
        own = getattr(importlib.import_module(module), class_name)
    except ModuleNotFoundError as error:
        raise InputError(
            f"Algorithm '{name}': no module named '{error.name}' can be imported (a name of the library's own is one of {', '.join(ALGORITHMS)})."
        ) from None
    except AttributeError:
        raise InputError(f"Algorithm '{name}': module '{module}' has no '{class_name}'.") from None
    if not (callable(getattr(own, "init", None)) and callable(getattr(own, "step", None))):
        raise InputError(f"Algorithm '{name}': a class needs init(log_policy) -> state and step(state, payoffs) -> state, the state with a log_policy.")
    return specs.build(own, settings, f"algorithm '{name}'")


def to_spec(algorithm: Any) -> str:
    """The spec that makes this algorithm: what reports print and traces store."""
    name = next((name for name, known in ALGORITHMS.items() if type(algorithm) is known), None)
    if name is None:
        name = f"{type(algorithm).__module__}:{type(algorithm).__qualname__}"
    return ":".join(
        filter(
            None, [name, ",".join(f"{key}={float(value)!r}" if isinstance(value, float) else f"{key}={value}" for key, value in settings_of(algorithm).items())]
        )
    )


def settings_of(algorithm: Any) -> dict[str, Any]:
    """The settings of an algorithm that are filled in, by name."""
    fields = dataclasses.fields(algorithm) if dataclasses.is_dataclass(algorithm) else ()
    return {field.name: getattr(algorithm, field.name) for field in fields if getattr(algorithm, field.name) is not None}


def listing() -> list[dict[str, Any]]:
    """For every algorithm its name, aliases, keys with defaults, and the first sentence of its description."""
    return [
        {
            "name": name,
            "aliases": sorted(alias for alias, target in ALIASES.items() if target == name),
            "keys": {key: parameter.default for key, parameter in specs.keys(method).items()},
            "description": (method.__doc__ or "").strip().splitlines()[0],
        }
        for name, method in ALGORITHMS.items()
    ]
