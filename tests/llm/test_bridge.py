"""The bridge: a language model over listed completions is a policy of a game, and its training a run that the judge takes as it is."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import mmd_games as mg
from benchmarks.llm.rungs import Groups, Softmax, play
from mmd_games.algorithms.log_linear import LogLinear
from mmd_games.arrays import log_normalise
from mmd_games.errors import InputError
from mmd_games.llm.bridge import (
    GameFamily,
    as_game,
    distance_to_tabular,
    enumerated_log_policy,
    trace_from_checkpoints,
    verify_checkpoints,
)
from mmd_games.llm.preference import FunctionPreference, MatrixPreference, VotersPreference
from mmd_games.loop.trace import Trace
from mmd_games.verification.headline import Headline
from mmd_games.verification.predicted import check_rate

from .tiny import MOVES, RPS, tiny_llama, tiny_tokenizer

GAME = mg.PreferenceGame(RPS, labels=MOVES, name="moves")
START = np.array([0.8, 0.1, 0.1])
FAST = mg.MagneticPreferenceOptimization(step_size=2.0, magnet_strength=0.2, refresh_every=10)
METHODS: dict[str, Any] = {
    "refreshed": FAST,
    "refreshed from uniform": LogLinear(step_size=2.0, magnet_strength=0.2, magnet="refreshed", refresh_every=10, uniform_reference=True),
    "fixed": mg.MagneticMirrorDescent(step_size=0.4, magnet_strength=0.2),
    "uniform": mg.MagneticMirrorDescent(step_size=0.4, magnet_strength=0.2, reference="uniform"),
    "absent": mg.MultiplicativeWeights(step_size=0.4),
}


def whole(algorithm: Any, steps: int, feedback: Any = None) -> Trace:
    """A run of the tables with every policy."""
    return mg.solve(GAME, algorithm, steps=steps, start=START, feedback=feedback, record=mg.Record(gaps=3 * steps, policies=3 * steps))


# --- a preference model is a game ---------------------------------------------------------------------------------------------------------


def test_a_matrix_is_its_own_game() -> None:
    game = as_game(MatrixPreference(MOVES, RPS), "play", list(MOVES))
    np.testing.assert_allclose(game.preference, RPS, rtol=0, atol=1e-15)
    assert game.labels == (MOVES,)
    assert game.name == "matrix on 'play'"
    assert game.notes == ()
    assert as_game(MatrixPreference(MOVES, RPS), "play", list(MOVES), name="moves").name == "moves"


def test_two_orders_that_disagree_are_averaged_and_that_is_said() -> None:
    # The first shown wins a tenth more often than it should.
    biased = FunctionPreference(lambda prompt, first, second: 0.9 * RPS[MOVES.index(first), MOVES.index(second)] + 0.1, name="biased judge")
    game = as_game(biased, "play", list(MOVES))
    np.testing.assert_allclose(game.preference, 0.9 * RPS + 0.05, rtol=0, atol=1e-15)
    assert "symmetrised" in game.notes[0]
    assert "0.1" in game.notes[0]


def test_one_order_is_enough_and_none_is_too_little() -> None:
    once = FunctionPreference(lambda prompt, first, second: RPS[MOVES.index(first), MOVES.index(second)] if first < second else None, name="half a judge")
    np.testing.assert_allclose(as_game(once, "play", list(MOVES)).preference, RPS, rtol=0, atol=1e-15)
    never = FunctionPreference(lambda prompt, first, second: None if {first, second} == {"paper", "scissors"} else 0.5, name="judge")
    with pytest.raises(InputError, match=r"^Preference model 'judge' could not judge 1 pairs, the first being completions 1 and 2 \('paper', 'scissors'\): "):
        as_game(never, "play", list(MOVES))


def test_a_declared_antisymmetry_is_checked() -> None:
    class Wrong:
        antisymmetric = True
        name = "wrong"

        def __call__(self, prompts: Any, completions: Any, mask: Any = None) -> torch.Tensor:
            return torch.tensor([[[0.5, 0.7], [0.7, 0.5]]], dtype=torch.float64)

    with pytest.raises(InputError, match=r"^Preference model 'wrong' declares itself antisymmetric, but"):
        as_game(Wrong(), "play", ["a", "b"])


# --- a language model is a policy ---------------------------------------------------------------------------------------------------------


def by_hand(model: Any, prompt: list[int], completion: list[int], temperature: float = 1.0) -> float:
    with torch.no_grad():
        logits = model(torch.tensor([prompt + completion])).logits[0].double() / temperature
    places = range(len(prompt) - 1, len(prompt) + len(completion) - 1)
    return float(sum(logits[place].log_softmax(-1)[token] for place, token in zip(places, completion, strict=True)))


@pytest.mark.parametrize("temperature", [1.0, 0.5])
@pytest.mark.parametrize("sequences", [1, 4, 256])
def test_probabilities_of_listed_completions(temperature: float, sequences: int) -> None:
    tokenizer = tiny_tokenizer()
    model = tiny_llama(tokenizer, dtype=torch.float64)
    completions = [[4, 1], [5, 6, 1], [6, 4, 5, 1], [4, 4, 1], [5, 1]]
    found = enumerated_log_policy(model, [3, 4], completions, pad_id=0, temperature=temperature, sequences=sequences, chunk=3)
    expected = np.array([by_hand(model, [3, 4], completion, temperature) for completion in completions])
    np.testing.assert_allclose(found.log_policy, expected - np.logaddexp.reduce(expected), rtol=0, atol=1e-12)  # float64; sums of up to 8 logits of 10 values
    assert found.log_mass == pytest.approx(np.logaddexp.reduce(expected), abs=1e-12)


def test_a_whole_vocabulary_has_all_the_mass() -> None:
    tokenizer = tiny_tokenizer()
    found = enumerated_log_policy(tiny_llama(tokenizer, dtype=torch.float64), [3], [[token] for token in range(len(tokenizer))])
    assert found.log_mass == pytest.approx(0.0, abs=1e-13)


def test_the_model_is_left_as_it_was_and_seen_without_dropout() -> None:
    tokenizer = tiny_tokenizer()
    model = tiny_llama(tokenizer)
    model.config.attention_dropout = 0.9
    for layer in model.model.layers:
        layer.self_attn.attention_dropout = 0.9
    model.train()
    found = [enumerated_log_policy(model, [3, 4, 5], [[4, 6], [5, 6]]).log_policy for _ in range(2)]
    np.testing.assert_array_equal(found[0], found[1])
    assert all(module.training for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(("completions", "which"), [([[4, 5], [6], [4]], (0, 2)), ([[4, 5], [5], [4, 5]], (2, 0)), ([[4], [4, 5, 6], [4, 4]], (2, 0))])
def test_completions_that_overlap_are_refused(completions: list[list[int]], which: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=rf"^Completion {which[0]} begins with completion {which[1]}, so its probability would count twice"):
        enumerated_log_policy(tiny_llama(tiny_tokenizer()), [3], completions)


def test_one_completion_is_no_choice() -> None:
    with pytest.raises(InputError, match=r"^A policy is over at least 2 completions, got 1\.$"):
        enumerated_log_policy(tiny_llama(tiny_tokenizer()), [3], [[4]])


# --- many prompts -------------------------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**20), prompts=st.integers(1, 3))
def test_the_mean_gap_is_that_of_the_game_of_all_prompts(seed: int, prompts: int) -> None:
    rng = np.random.default_rng(seed)
    games = [mg.games.random(n=int(rng.integers(2, 4)), seed=int(rng.integers(1000))) for _ in range(prompts)]
    policies = [np.exp(log_normalise(rng.normal(size=game.actions), game.blocks)) for game in games]
    weights = rng.random(prompts) + 0.1
    found = GameFamily(games, weights).gaps([np.log(policy) for policy in policies])
    shares = weights / weights.sum()
    # The game of all prompts: a reply chooses a completion for each, and is worth the mean over the prompts.
    replies = itertools.product(*(range(game.actions) for game in games))
    best = max(
        sum(share * game.payoffs(policy)[choice] for share, game, policy, choice in zip(shares, games, policies, reply, strict=True)) for reply in replies
    )
    assert found.mean == pytest.approx(2 * best, abs=1e-14)
    for gap, game, policy in zip(found.per_prompt, games, policies, strict=True):
        assert gap == pytest.approx(float(mg.duality_gap(game, policy)), abs=1e-15)


def test_a_family_from_a_preference_model() -> None:
    table = {"one": RPS, "two": np.array([[0.5, 0.9], [0.1, 0.5]])}
    model = MatrixPreference({"one": list(MOVES), "two": ["yes", "no"]}, table)
    family = GameFamily.from_preference_model(model, ["one", "two"], [list(MOVES), ["yes", "no"]], weights=[1, 3])
    assert len(family) == 2
    assert family.names == ("one", "two")
    np.testing.assert_allclose(family.weights, [0.25, 0.75])
    equilibria = family.equilibria()
    np.testing.assert_allclose(equilibria[0].policy, np.array([4, 3, 4]) / 11, atol=1e-9)  # in tests/llm/tiny.py
    np.testing.assert_allclose(equilibria[1].policy, [1, 0], atol=1e-9)
    gaps = family.gaps([np.log(START), np.log([0.5, 0.5])])
    # Paper loses .4 to rock, of 80%; scissors gain .3 … : the largest entry of Sπ, twice.
    assert gaps.per_prompt.tolist() == pytest.approx([2 * max(0.4 * 0.1 - 0.3 * 0.1, -0.4 * 0.8 + 0.4 * 0.1, 0.3 * 0.8 - 0.4 * 0.1), 0.4], abs=1e-12)
    assert gaps.mean == pytest.approx(0.25 * gaps.per_prompt[0] + 0.75 * 0.4, abs=1e-12)
    assert gaps.worst == ("one" if gaps.per_prompt[0] > 0.4 else "two")
    assert str(gaps).splitlines() == ["duality gap 0.4 on average over 2 prompts, at most 0.4", "0.4  one", "0.4  two"]
    assert json.loads(json.dumps(gaps.to_dict()))["prompts"][1] == {"name": "two", "weight": 0.75, "gap": pytest.approx(0.4)}


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (lambda: GameFamily([]), "A family needs at least one game."),
        (lambda: GameFamily([GAME], [0.0]), "weights must be 1 positive numbers, one for each game, got"),
        (lambda: GameFamily([GAME, GAME], [1.0]), "weights must be 2 positive numbers, one for each game, got"),
        (lambda: GameFamily([GAME], ["often"]), "weights must be 1 positive numbers, one for each game, got"),
        (lambda: GameFamily([GAME], names=[]), "names must be 1, one for each game, got 0."),
        (lambda: GameFamily([GAME]).gaps([]), "log_policies must be 1, one for each game, got 0."),
        (lambda: GameFamily([GAME]).gaps([np.zeros(3)]), "The probabilities of a policy must sum to 1"),
        (lambda: GameFamily.from_preference_model(VotersPreference([lambda p, c: 1.0]), ["a"], []), "completions must be 1 lists, one for each prompt, got 0."),
    ],
)
def test_families_that_are_refused(made: Any, sentence: str) -> None:
    with pytest.raises(InputError) as raised:
        made()
    assert str(raised.value).startswith(sentence)


# --- checkpoints are a run ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_stages_are_found_as_the_tables_record_them(name: str) -> None:
    exact = whole(METHODS[name], 25)
    found = trace_from_checkpoints(GAME, exact.log_policies, exact.policy_iterations, METHODS[name])
    for field in ("iterations", "log_magnets", "magnet_strengths", "step_sizes", "steady"):
        np.testing.assert_allclose(getattr(found.stages, field), getattr(exact.stages, field), rtol=0, atol=1e-14)  # normalised once more
    np.testing.assert_allclose(found.gaps, exact.gaps, rtol=0, atol=1e-14)
    assert found.algorithm == exact.algorithm
    assert found.feedback == "groups of completions"


def test_given_magnets_are_taken() -> None:
    exact = whole(FAST, 30)
    kept = [0, 3, 13, 14, 25, 30]  # no checkpoint at the refreshes 10 and 20
    magnets = exact.stages.log_magnets[[0, 0, 1, 1, 2, 3]]
    with pytest.raises(InputError, match=r"^The magnet was refreshed at iteration 10, of which there is no checkpoint; give log_magnets"):
        trace_from_checkpoints(GAME, exact.log_policies[kept], kept, FAST)
    found = trace_from_checkpoints(GAME, exact.log_policies[kept], kept, FAST, magnets)
    assert found.stages.iterations.tolist() == [0, 13, 25, 30]
    np.testing.assert_allclose(found.stages.log_magnets, magnets[[0, 2, 4, 5]], rtol=0, atol=1e-14)


def test_a_moving_magnet_has_a_stage_at_every_checkpoint() -> None:
    moving = mg.MagneticMirrorDescent(step_size=0.4, magnet_strength=0.2, magnet="moving", magnet_rate=0.05)
    exact = whole(moving, 20)
    with pytest.raises(InputError, match=r"^This magnet moves at every step"):
        trace_from_checkpoints(GAME, exact.log_policies, None, moving)
    found = trace_from_checkpoints(GAME, exact.log_policies, None, moving, exact.stages.log_magnets)
    assert len(found.stages) == 21
    assert not found.stages.steady


def test_annealed_settings_are_those_of_each_checkpoint() -> None:
    annealed = mg.MagneticMirrorDescent(step_size=0.4, magnet_strength=0.2, magnet="annealed")
    exact = whole(annealed, 20)
    found = trace_from_checkpoints(GAME, exact.log_policies, None, annealed)
    np.testing.assert_allclose(found.stages.step_sizes, exact.stages.step_sizes, rtol=1e-15)
    np.testing.assert_allclose(found.stages.magnet_strengths, exact.stages.magnet_strengths, rtol=1e-15)


def test_runs_without_an_algorithm_or_of_ones_own() -> None:
    exact = whole(FAST, 25)
    plain = trace_from_checkpoints(GAME, exact.log_policies)
    assert plain.algorithm == "a language model"
    assert len(plain.stages) == 0
    mg.verify(plain, 0.01)

    class Lazy:
        def init(self, log_policy: Any) -> Any:
            return self

        def step(self, state: Any, payoffs: Any) -> Any:
            return state

    own = Lazy()
    found = trace_from_checkpoints(GAME, exact.log_policies, None, own)
    assert found.algorithm is own
    assert len(found.stages) == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"log_magnets": np.log([START] * 3)}, "log_magnets were given without the algorithm whose magnets they are."),
        ({"algorithm": FAST, "log_magnets": np.log([START] * 2)}, "log_magnets must have the shape of the policies, (3, 3), got (2, 3)."),
        ({"algorithm": FAST, "log_magnets": np.zeros((3, 3))}, "The probabilities of a policy must sum to 1"),
        (
            {"algorithm": FAST, "iterations": [5, 6, 7]},
            "The first magnet is the policy of iteration 0, and the first checkpoint is of iteration 5; give log_magnets.",
        ),
        ({"iterations": [0, 0, 1]}, "iterations must be 3 whole numbers"),
    ],
)
def test_checkpoints_that_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as raised:
        trace_from_checkpoints(GAME, np.log([START] * 3), **arguments)
    assert str(raised.value).startswith(sentence)


# --- beside exact play --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_exact_play_has_no_distance_from_itself(name: str) -> None:
    exact = whole(METHODS[name], 25)
    kept = [0, 1, 7, 25]
    assert distance_to_tabular(GAME, METHODS[name], exact.log_policies[kept], kept).max() < 1e-13  # a normalisation more, contracted or turned
    wrong = exact.log_policies[kept].copy()
    wrong[2] = np.log(START)
    distances = distance_to_tabular(GAME, METHODS[name], wrong, kept)
    assert distances[2] == pytest.approx(float(np.abs(START - np.exp(exact.log_policies[7])).sum() / 2), rel=1e-12)
    assert distances[[0, 1, 3]].max() < 1e-13


def test_exact_play_begins_at_nought() -> None:
    with pytest.raises(InputError, match=r"^Exact play starts at iteration 0, and the first checkpoint is of iteration 2\.$"):
        distance_to_tabular(GAME, FAST, np.log([START] * 2), [2, 3])


def trained(updates: int) -> Any:
    """Checkpoints of a softmax that was trained by gradient on the listed completions."""
    return play(Softmax(np.log(START)[None]), GAME.preference[None], FAST, updates, fitted=1e-18)


def test_a_trained_softmax_is_confirmed_at_the_predicted_rate() -> None:
    run = trained(260)
    trace = trace_from_checkpoints(GAME, run.log_policies[:, 0], None, FAST, run.log_magnets[:, 0])
    found = verify_checkpoints(trace, tolerance=1e-4)
    assert found.report.headline is Headline.CONVERGED
    assert found.rate.verdict is mg.Verdict.CONFIRMED
    # The judge's own two per cent of the exponent.
    assert np.log(found.rate.measured) == pytest.approx(np.log(mg.predict_rate(GAME, FAST).rate), rel=0.02)
    assert found.rate.predicted == pytest.approx(mg.predict_rate(GAME, FAST).rate, rel=1e-9)
    assert found.distances.max() < 1e-7  # a fit of 1e-9 in log π at each of 260 updates
    assert found.measured_until == 260
    np.testing.assert_allclose(found.tabular_gaps, trace.gaps, rtol=0, atol=1e-7)
    text = str(found)
    assert "rate predicted: 0.958135 an update; measured: 0.958" in text
    assert "total variation to exact play:" in text
    assert "again = mg.solve" not in text  # nobody can play it again from the trace alone
    assert json.loads(json.dumps(found.to_dict()))["rate"]["verdict"] == "confirmed"


def test_the_distance_is_said_where_training_went_wrong() -> None:
    """Checkpoints of another step size than the stated one: the judge has nothing to hold against them, the comparison with exact play does."""
    half = mg.MagneticPreferenceOptimization(step_size=1.0, magnet_strength=0.2, refresh_every=10)
    run = play(Softmax(np.log(START)[None]), GAME.preference[None], half, 200, fitted=1e-18)
    found = verify_checkpoints(trace_from_checkpoints(GAME, run.log_policies[:, 0], None, FAST, run.log_magnets[:, 0]), tolerance=1e-4)
    assert found.distances.max() > 0.1
    assert found.measured_until is not None
    assert found.measured_until < 20
    assert found.rate.verdict is mg.Verdict.INCONCLUSIVE
    assert found.rate.measured is None
    assert found.rate.predicted == pytest.approx(mg.predict_rate(GAME, FAST).rate, rel=1e-9)


def test_the_rate_is_measured_before_the_noise_decides() -> None:
    exact = whole(FAST, 400)
    noisy = exact.log_policies + 1e-5 * np.random.default_rng(0).normal(size=exact.log_policies.shape)
    found = verify_checkpoints(trace_from_checkpoints(GAME, log_normalise(noisy, GAME.blocks), None, FAST), tolerance=1e-4)
    # Exact play is a distance e away at .1·.958^t; where a quarter of it is the noise, about 1e-5, t is some 200.
    assert found.measured_until is not None
    assert 150 < found.measured_until < 300
    assert found.rate.verdict is mg.Verdict.CONFIRMED
    assert check_rate(found.trace, found.prediction).verdict is mg.Verdict.INCONCLUSIVE  # the whole run, its noise included


def test_too_few_checkpoints_near_exact_play_show_no_rate() -> None:
    log_policies = np.log(np.concatenate([[START], [START[::-1]] * 20]))
    found = verify_checkpoints(trace_from_checkpoints(GAME, log_policies, None, FAST), tolerance=1e-4)
    assert found.rate.verdict is mg.Verdict.INCONCLUSIVE
    assert found.rate.detail == "fewer than 8 checkpoints are near enough to exact play."
    assert found.rate.predicted == pytest.approx(mg.predict_rate(GAME, FAST).rate, rel=1e-9)
    assert found.rate.measured is None
    assert found.measured_until == 0


def test_no_hard_check_is_broken_by_sampling() -> None:
    """Sampled training breaks what theory grants to exact play, and is not refuted for it; what holds of every policy is still checked."""
    for name, steps in (("refreshed", 200), ("fixed", 800), ("absent", 400)):
        sampled = whole(METHODS[name], steps, Groups(size=64, seed=2))
        in_force = np.searchsorted(sampled.stages.iterations, sampled.iterations, side="right") - 1
        trace = trace_from_checkpoints(GAME, sampled.log_policies, None, METHODS[name], sampled.stages.log_magnets[in_force])
        found = verify_checkpoints(trace, tolerance=1e-3)
        hard = {claim.name: claim.verdict for claim in found.report.claims if claim.hard}
        assert mg.Verdict.REFUTED not in hard.values()
        assert hard["rule"] is hard["contraction"] is mg.Verdict.NOT_APPLICABLE
        assert hard["record"] is mg.Verdict.CONFIRMED
        assert found.report.prediction.declined
        assert not found.prediction.declined
        if name == "fixed":
            # Its plateau is known beforehand, and the run stands near it.
            assert found.report.claim("plateau").measured == pytest.approx(found.report.claim("plateau").predicted, abs=0.05)
            assert found.report.verdict is mg.Verdict.REFUTED
        # The same numbers under the claim of exact play are refuted: the trace must not say so of a language model.
        if name == "refreshed":
            pretended = mg.verify(mg.Trace(**(vars(trace) | {"feedback": str(mg.Exact())})), 1e-3)
            assert pretended.headline is Headline.BROKEN


@pytest.mark.parametrize("trace", [trace_from_checkpoints(GAME, np.log([START] * 4)), None])
def test_a_comparison_needs_an_algorithm(trace: Any) -> None:
    with pytest.raises(InputError, match=r"^Checkpoints are compared with exact play of their algorithm"):
        verify_checkpoints(trace)
