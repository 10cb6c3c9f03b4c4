"""The ladder from tables to language models, rung by rung, each against what theory or its measured sampling error allows.

1. the tables, played exactly; 2. the tables, payoffs from groups of K completions; 3. a softmax fitted by gradient; 4. a tiny transformer, all completions listed; 5. the same,
completions drawn. The long rungs are here, the short ones in tests/llm/test_ladder.py. Rungs 1, 3 and 4 play two random games of 64 completions (4 words, 3 places), rung 4 also
rock, paper, scissors with the judge on its checkpoints; rungs 2 and 5 play asymmetric rock, paper, scissors from 80% rock, by single tokens: every other token of
the vocabulary loses to all three.

Gaps of sampled runs never settle: asked is the mean over the last tenth of the updates, and the last is shown beside it. The noise of the moving magnet grows with the step, and so does the speed at
which play without one spirals outwards: there the gap goes round between .2 and .8, and its mean is above .5 once the orbit is wide. With 512 completions one step size meets both ends, and all is
asked of it; with 256, two step sizes are shown, and nothing is asked.

    python -m benchmarks.llm.ladder > benchmarks/results/llm_ladder.txt

It exits with 1 where a number is missed. About twenty minutes of one core; the times it prints are of one core too.
"""

from __future__ import annotations

import sys
import time
from itertools import product
from typing import Any

import numpy as np
import torch

import mmd_games as mg
from benchmarks.llm.rungs import Groups, Run, Softmax, Transformer, expected_errors, fit, one_step_errors, play, scaled
from mmd_games.llm.bridge import GameFamily, distance_to_tabular, trace_from_checkpoints, verify_checkpoints
from tests.llm.tiny import MOVES, RPS, tiny_llama, tiny_tokenizer

SEEDS = range(5)
LISTED_UPDATES, SAMPLED_UPDATES, JUDGED_UPDATES = 80, 800, 250
LISTED = mg.MagneticPreferenceOptimization(step_size=1.0, magnet_strength=0.1, refresh_every=20)
JUDGED = mg.MagneticPreferenceOptimization(step_size=2.0, magnet_strength=0.2, refresh_every=10)
SAMPLED: dict[str, Any] = {
    f"{magnet}, η = {size:g}": algorithm
    for size, stage in ((0.4, 50), (0.8, 30))
    for magnet, algorithm in (
        ("moving magnet", mg.MagneticPreferenceOptimization(step_size=size, magnet_strength=0.2, refresh_every=stage)),
        ("fixed magnet", mg.MagneticMirrorDescent(step_size=size, magnet_strength=0.2)),
        ("no magnet", mg.MultiplicativeWeights(step_size=size)),
    )
}
ASKED = {"moving magnet, η = 0.8": (0.0, 0.02), "fixed magnet, η = 0.8": (0.2, 1.0), "no magnet, η = 0.8": (0.5, 1.0)}
"""With 512 completions: the mean gap over the last tenth, at least and at most."""
SIZES = {512: tuple(ASKED), 256: tuple(SAMPLED)}
"""Which are run with how many completions."""


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)


def words_and_completions() -> tuple[Any, list[list[int]], list[list[int]]]:
    """A tokenizer, two prompts, and 64 completions of three words each."""
    tokenizer = tiny_tokenizer([*"abcd", "one", "two"])
    words: Any = tokenizer.convert_tokens_to_ids([*"abcd"])
    prompts: Any = [tokenizer.convert_tokens_to_ids(["play", which]) for which in ("one", "two")]
    return tokenizer, prompts, [list(each) for each in product(words, repeat=3)]


def games_of_64() -> GameFamily:
    """Two random games, one for each prompt."""
    return GameFamily([mg.games.random(n=64, seed=seed) for seed in (0, 1)])


def transformer_of_64(hidden: int = 64) -> Transformer:
    """A two-layer transformer over the 64 completions of both prompts."""
    tokenizer, prompts, completions = words_and_completions()
    return Transformer(scaled(tiny_llama(tokenizer, hidden=hidden)), prompts, completions)


def moves_game() -> tuple[mg.PreferenceGame, np.ndarray]:
    """Rock, paper, scissors among all tokens of a vocabulary, and the start: 80% rock, a thousandth for each token that is no move."""
    tokenizer = tiny_tokenizer()
    moves: Any = tokenizer.convert_tokens_to_ids(list(MOVES))
    others = np.setdiff1d(np.arange(len(tokenizer)), moves)
    table = np.full((len(tokenizer),) * 2, 0.5)
    table[np.ix_(moves, moves)], table[np.ix_(moves, others)], table[np.ix_(others, moves)] = RPS, 1.0, 0.0
    start = np.full(len(tokenizer), 0.001)
    start[moves] = np.array([0.8, 0.1, 0.1]) * (1 - start[others].sum())
    return mg.PreferenceGame(table, labels=tokenizer.convert_ids_to_tokens(list(range(len(tokenizer)))), name="rock, paper, scissors by tokens"), start


def transformer_of_moves(start: np.ndarray, seed: int = 0, dtype: torch.dtype = torch.float32) -> Transformer:
    """A two-layer transformer whose next token after "play" is distributed as `start`."""
    tokenizer = tiny_tokenizer()
    prompt: Any = tokenizer.convert_tokens_to_ids(["play"])
    policy = Transformer(scaled(tiny_llama(tokenizer, seed=seed, dtype=dtype)), [prompt], [[token] for token in range(len(tokenizer))])
    wanted = torch.tensor(np.log(start))
    fit(policy, lambda: (policy.log_probs() - wanted).var(-1).mean(), fitted=1e-8)
    return policy


def listed_errors(run: Run, family: GameFamily) -> tuple[float, float]:
    """The largest one-step and trajectory total variation over updates and prompts."""
    steps = [one_step_errors(game, LISTED, run, prompt) for prompt, game in enumerate(family.games)]
    ways = [distance_to_tabular(game, LISTED, run.log_policies[:, prompt]) for prompt, game in enumerate(family.games)]
    return float(np.max(steps)), float(np.max(ways))


def late(gaps: np.ndarray) -> tuple[float, float]:
    """Mean over the last tenth, and the last."""
    return float(np.mean(gaps[-(len(gaps) // 10) :])), float(gaps[-1])


def listed_rungs() -> bool:
    """Rungs 3 and 4 on 64 completions, each beside rung 1 from its start."""
    family, met = games_of_64(), True
    for number, what, policy in ((3, "softmax", None), (4, "transformer", transformer_of_64())):
        began = time.process_time()
        chosen: Any = policy or Softmax(np.random.default_rng(0).normal(size=(2, 64)))
        run = play(chosen, np.stack([game.table() + 0.5 for game in family.games]), LISTED, LISTED_UPDATES, fitted=1e-18 if policy is None else 1e-7)
        one, way = listed_errors(run, family)
        exact = [mg.solve(game, LISTED, steps=LISTED_UPDATES, start=np.exp(run.log_policies[0, prompt])).gap for prompt, game in enumerate(family.games)]
        gaps = family.gaps(list(run.log_policies[-1])).per_prompt
        asked = (1e-8, 1e-8) if policy is None else (0.005, 0.01)
        met &= one <= asked[0] and way <= asked[1]
        say(
            f"rung {number}  {what}, 64 listed completions, 2 prompts, {LISTED_UPDATES} updates: total variation one step {one:.1e} (asked {asked[0]:g}), trajectory {way:.1e} "
            f"(asked {asked[1]:g}); gaps {gaps[0]:.4f} and {gaps[1]:.4f}, tables {exact[0]:.4f} and {exact[1]:.4f}; {time.process_time() - began:.0f} s of one core"
        )
    return met


def judged_rung() -> bool:
    """Rung 4 on rock, paper, scissors, its checkpoints before the judge of the tables."""
    game, start = moves_game()
    began = time.process_time()
    run = play(transformer_of_moves(start, dtype=torch.float64), game.preference[None], JUDGED, JUDGED_UPDATES, fitted=1e-12)
    found = verify_checkpoints(trace_from_checkpoints(game, run.log_policies[:, 0], None, JUDGED, run.log_magnets[:, 0]), tolerance=1e-4)
    say(f"rung 4  transformer, listed, {JUDGED_UPDATES} updates of rock, paper, scissors in float64; its checkpoints judged: {found.report.headline.sentence}")
    for line in found.lines:
        say(f"          {line}")
    say(f"          {time.process_time() - began:.0f} s of one core")
    return found.report.verdict is found.rate.verdict is mg.Verdict.CONFIRMED and float(np.max(found.distances)) <= 1e-5


def sampled_rungs() -> bool:
    """Rungs 2 and 5: the three methods, all seeds."""
    (game, start), met = moves_game(), True
    for (number, what), samples in product(((2, "tables"), (5, "transformer")), SIZES):
        say(f"rung {number}  {what}, {samples} drawn completions, {SAMPLED_UPDATES} updates of rock, paper, scissors; gap: mean of the last tenth (the last)")
        for name in SIZES[samples]:
            algorithm, asked = SAMPLED[name], ASKED.get(name) if samples == max(SIZES) else None
            began, shown, ratios = time.process_time(), [], []
            for seed in SEEDS:
                if number == 2:
                    record = mg.Record(gaps=3 * SAMPLED_UPDATES, policies=4)
                    gaps = mg.solve(game, algorithm, steps=SAMPLED_UPDATES, start=start, feedback=Groups(size=samples, seed=seed), record=record).gaps
                else:
                    run = play(transformer_of_moves(start, seed), game.preference[None], algorithm, SAMPLED_UPDATES, samples=samples, seed=seed)
                    gaps = mg.duality_gap(game, np.exp(run.log_policies[:, 0]))
                    ratios.append(np.mean(one_step_errors(game, algorithm, run, 0)) / np.mean(expected_errors(game, algorithm, run, 0, samples)))
                mean, last = late(gaps)
                met &= asked is None or asked[0] <= mean <= asked[1]
                shown.append(f"{mean:.4f} ({last:.4f})")
            noise = f"; one-step error over that of sampling {min(ratios):.2f} to {max(ratios):.2f}" if ratios else ""
            said = "shown only" if asked is None else f"asked {asked[0]:g} to {asked[1]:g}"
            say(f"          {name:22} {'  '.join(shown)}   {said}{noise}; {time.process_time() - began:.0f} s of one core")
    return met


def main() -> int:
    """Climb; 1 where a number is missed."""
    torch.set_num_threads(1)
    met = [listed_rungs(), judged_rung(), sampled_rungs()]
    say(f"all numbers: {'met' if all(met) else 'MISSED'}")
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
