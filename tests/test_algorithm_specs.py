"""Algorithms by name: every spec reads back as what was written, and what cannot be read is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.algorithms import LogLinear, from_settings, from_spec, listing, to_spec
from mmd_games.algorithms.registry import ALGORITHMS, ALIASES, settings_of
from mmd_games.errors import InputError
from mmd_games.specs import keys

POSITIVE = st.floats(min_value=0, exclude_min=True, allow_infinity=False, allow_nan=False)
OPTIONAL = st.none() | POSITIVE
SMALL = st.none() | st.floats(1e-12, 1)
REFERENCE = st.sampled_from(["start", "uniform"])
ANY_ALGORITHM = st.one_of(
    st.builds(
        mg.MagneticPreferenceOptimization,
        step_size=SMALL,
        magnet_strength=SMALL,
        refresh_every=st.none() | st.integers(1, 10**9),
        inner=st.sampled_from(["mmd", "pu"]),
    ),
    st.builds(
        mg.MagneticMirrorDescent,
        step_size=OPTIONAL,
        magnet_strength=OPTIONAL,
        magnet=st.sampled_from(["fixed", "moving", "annealed"]),
        reference=REFERENCE,
        magnet_rate=SMALL,
        anneal_power=OPTIONAL,
    ),
    st.builds(mg.PolicyUpdate, step_size=SMALL, magnet_strength=SMALL, reference=REFERENCE),
    st.builds(mg.NashMirrorDescent, step_size=SMALL, magnet_strength=SMALL, reference=REFERENCE),
    st.builds(mg.MultiplicativeWeights, step_size=OPTIONAL),
    st.builds(mg.OptimisticMultiplicativeWeights, step_size=OPTIONAL),
    st.builds(mg.Extragradient, step_size=OPTIONAL),
    st.builds(
        LogLinear,
        step_size=POSITIVE,
        magnet_strength=st.floats(0, 10),
        evaluation=st.sampled_from(["iterate", "extrapolated", "half_step", "mixture"]),
        explicit=st.booleans(),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Mine:
    """A user's own class, found as module:Class."""

    pace: float = 0.5
    loud: bool = False

    def init(self, log_policy: Any) -> Any:
        return log_policy

    def step(self, state: Any, payoffs: Any) -> Any:
        return state


class Bare:
    """The least that a user's own class may be."""

    def init(self, log_policy: Any) -> Any:
        return log_policy

    def step(self, state: Any, payoffs: Any) -> Any:
        return state


@given(ANY_ALGORITHM)
def test_a_written_spec_reads_back(algorithm: Any) -> None:
    assert from_spec(to_spec(algorithm)) == algorithm


@given(ANY_ALGORITHM)
def test_settings_as_values_build_the_same(algorithm: Any) -> None:
    name = next((name for name, known in ALGORITHMS.items() if type(algorithm) is known), f"{LogLinear.__module__}:LogLinear")
    assert from_settings(name, settings_of(algorithm)) == algorithm


def test_numbers_of_numpy() -> None:
    algorithm = mg.MagneticPreferenceOptimization(step_size=np.float64(0.1), refresh_every=np.int64(7))  # type: ignore[arg-type]
    assert to_spec(algorithm) == "mpo:step_size=0.1,refresh_every=7,inner=mmd"
    assert from_spec(to_spec(algorithm)) == algorithm


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_aliases(alias: str, name: str) -> None:
    assert from_spec(alias) == ALGORITHMS[name]()
    if "step_size" in keys(ALGORITHMS[name]):
        assert from_spec(f"{alias}:step_size=0.25") == ALGORITHMS[name](step_size=0.25)


def test_names_with_settings() -> None:
    assert from_spec("mpo") == mg.MagneticPreferenceOptimization()
    assert from_spec(" mmd : magnet=moving , magnet_rate=0.1 ") == mg.MagneticMirrorDescent(magnet="moving", magnet_rate=0.1)
    assert from_spec("mpo:refresh_every=none,step_size=1e-3") == mg.MagneticPreferenceOptimization(step_size=0.001)


def test_classes_of_the_users_own() -> None:
    assert from_spec(f"{__name__}:Mine") == Mine()
    assert from_spec(f"{__name__}:Mine:pace=0.25,loud=yes") == Mine(pace=0.25, loud=True)
    assert to_spec(Mine(pace=0.25)) == f"{__name__}:Mine:pace=0.25,loud=False"
    assert from_spec(to_spec(Mine(pace=0.25))) == Mine(pace=0.25)
    assert isinstance(from_spec(to_spec(Bare())), Bare)
    assert to_spec(Bare()) == f"{__name__}:Bare"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("", ["Unknown algorithm ''"]),
        ("mpp", ["Unknown algorithm 'mpp'", "did you mean 'mpo'?"]),
        ("omwu:stepsize=1", ["Unknown key of algorithm 'omwu' 'stepsize'", "'step_size'"]),
        ("mwu:step_size=fast", ["step_size of algorithm 'mwu' must be a number, got 'fast'"]),
        ("mwu:step_size=-1", ["step_size must be a positive"]),
        ("mwu:step_size=nan", ["step_size must be a positive"]),
        ("mpo:refresh_every=2.5", ["refresh_every of algorithm 'mpo' must be a whole number"]),
        ("mpo:inner=omwu", ["inner of algorithm 'mpo' must be one of mmd, pu, got 'omwu'"]),
        ("mmd:magnet=loose", ["must be one of fixed, moving, annealed"]),
        ("mpo:step_size=1,step_size=2", ["'step_size' stands twice"]),
        ("mpo:step_size", ["'step_size'", "key=value"]),
        ("pu:step_size=9,magnet_strength=1", ["at most 1, got 9 × 1 = 9."]),
        ("no_such_module:Mine", ["no module named 'no_such_module'", "one of mpo, "]),
        ("math:Mine", ["module 'math' has no 'Mine'"]),
        ("fractions:Fraction", ["needs init(log_policy)"]),
        (f"{__name__}:Mine:speed=1", ["Unknown key", "'speed'"]),
        (":Mine", ["Unknown algorithm ':Mine'"]),
        (".mine:Mine", ["Unknown algorithm '.mine:Mine'"]),
    ],
)
def test_specs_that_are_refused(spec: str, words: list[str]) -> None:
    with pytest.raises(InputError) as refusal:
        from_spec(spec)
    assert all(word in str(refusal.value) for word in words), str(refusal.value)


@given(st.text(max_size=30))
def test_any_text_is_an_algorithm_or_a_sentence(text: str) -> None:
    try:
        from_spec(text)
    except InputError as refusal:
        assert str(refusal)  # noqa: PT017 (any other exception must surface)


def test_the_listing_names_every_method_and_key() -> None:
    rows = {row["name"]: row for row in listing()}
    assert rows.keys() == ALGORITHMS.keys()
    assert rows["extragradient"]["aliases"] == ["eg", "mirror_prox"]
    assert rows["mpo"]["keys"] == {"step_size": None, "magnet_strength": None, "refresh_every": None, "inner": "mmd"}
    assert all(row["description"].endswith(".") for row in rows.values())
