# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The league
#
# Which method, on my game, with no tuning? `benchmarks/suites/league.toml` plays `AdaptiveMPO`, which has no setting, against thirty rivals, each with the best setting of its grid, on 23 games. Cost is counted in
# *products*: the payoffs of all actions against one policy. This notebook reads the stored result and looks inside.

# %%
import json
from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pyarrow.parquet as parquet

import mmd_games as mg
from mmd_games import plots
from mmd_games.sweeps.standings import best_settings, performance_ratios, standings

CHAMPION, LEVEL = "adaptive_mpo", 1e-8
results = next(folder / "benchmarks" / "results" for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "benchmarks" / "results").is_dir())


def stored(name):
    """The rows of a sweep, as the standings take them."""
    rows = parquet.read_table(results / f"{name}.parquet").to_pylist()
    for row in rows:
        row["setting"] = json.loads(row["setting"])
        row["cost"] = {"1e-08": row["products_to_1e-08"]}
        if row["error"] is None:
            del row["error"]
        if row["gap"] is None:
            del row["gap"]
    return rows


league = stored("league")
best = [found for found, _ in best_settings(league, LEVEL)]
table = standings(best, CHAMPION)
print(
    f"{len(league):,} runs, {len({row['game'] for row in league})} games, {len({row['algorithm'] for row in league})} methods; a budget of {league[0]['products']:,} products each"
)
print(f"passes (at most 1.5 times the best rival's products, and 200) on {table['passing']:.0%} of the games\n")
print(f"{'game':34s} {'AdaptiveMPO':>11s}  best rival")
for line in table["games"]:
    rival = f"{line['rival_products']:,} {line['rival']}" if line["rival_reached"] else f"none within {line['rival_products']:,}"
    print(f"{line['game']:34s} {line['champion']:11,d}  {rival}")

# %% [markdown]
# A rival that does not get there within its budget counts as the budget, so ratios flatter it. The profile says for each method on which share of the games it needs at most so many times what the best method needs; where
# a curve ends on the right is how often it gets there at all.

# %%
ratios = performance_ratios(best)
leaders = sorted(ratios, key=lambda name: -sum(np.isfinite(ratios[name])))[:9]
figure, axes = plt.subplots(figsize=(9.5, 4.4), layout="constrained")
plots.plot_profile({name: ratios[name] for name in leaders}, "League: the nine methods that get there most often", champion=CHAMPION, ax=axes)
plt.show()

# %%
print(f"{'rival':44s} {'gets there':>10s}  AdaptiveMPO's products over its, median")
reached = defaultdict(int)
for found in best:
    reached[found.algorithm] += found.reached
for line in sorted(table["rivals"], key=lambda line: -line["median_ratio"]):
    print(f"{line['rival']:44s} {reached[line['rival']]:3d} of {line['games']:3d}  {line['median_ratio']:.3f}")

# %% [markdown]
# ## What conditioning costs
#
# Five actions on a ring whose two rotations differ in speed by a factor of exactly κ (`conditioned_cycle`). Methods that step along the payoffs pay for it: κ² for OMWU, κ for restarts to the average and for MPO with the
# extragradient inside. Newton steps see both rotations at once.

# %%
condition = stored("condition")
figure, axes = plt.subplots(figsize=(7.2, 4.4), layout="constrained")
for name, marker in zip(dict.fromkeys(row["algorithm"] for row in condition), "osD^v", strict=True):
    costs = {float(found.game.partition("=")[2]): found.products for found, _ in best_settings(condition, LEVEL) if found.algorithm == name and found.reached}
    kappas, products = np.array(list(costs)), np.array(list(costs.values()))
    exponent = np.polyfit(np.log(kappas), np.log(products), 1)[0] if len(kappas) > 1 else np.nan
    axes.loglog(kappas, products, marker=marker, label=f"{name}: exponent {exponent:.2f}")
    print(f"{name:25s} {'  '.join(f'{cost:9,d}' for cost in products)}   exponent {exponent:.2f}")
axes.set_xlabel("condition κ, fastest over slowest mode")
axes.set_ylabel("products to a gap of 1e-8 L")
axes.set_title("What conditioning costs, with the best setting of each grid")
axes.legend()
plt.show()

# %% [markdown]
# ## Inside
#
# A run on a random game of 30 actions. The strength α of the magnet falls as long as Newton steps can follow, and KL from the equilibrium to the magnet falls at *every* refresh, by an amount that is known in advance and that
# the judge recomputes; its curve bends downwards, which no linear rate does. The gap need not fall at every step.

# %%
game = mg.games.random(n=30, seed=2)
trace = mg.solve(game, mg.AdaptiveMPO(), until=1e-10)
report = mg.verify(trace)
equilibrium = mg.nash(game)
with np.errstate(divide="ignore"):
    target = np.log(equilibrium.policy)
played = equilibrium.policy > 0
divergence = [float(np.sum(equilibrium.policy[played] * (target[played] - magnet[played]))) for magnet in trace.stages.log_magnets]
at = np.interp(trace.stages.iterations, trace.iterations, trace.products)
figure, axes = plt.subplots(figsize=(7.2, 4.4), layout="constrained")
axes.semilogy(trace.products, trace.gaps, label="duality gap", color="black")
axes.semilogy(at, np.maximum(divergence, 1e-17), marker="o", linestyle="--", label="KL from the equilibrium to the magnet (down to rounding)")
axes.semilogy(at, trace.stages.magnet_strengths, drawstyle="steps-post", linestyle=":", label="strength α")
axes.set_xlabel("products")
axes.set_title("A run of AdaptiveMPO: random, n = 30")
axes.legend()
plt.show()
print(report.headline.sentence)
print(next(claim for claim in report.claims if claim.name == "relative_error").detail)

# %% [markdown]
# ## Controls
#
# What must not converge does not: the last iterate of multiplicative weights moves away, a fixed magnet stops at the gap that is known in advance, and MPO with too few steps between refreshes diverges, as predicted.

# %%
game = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
start = np.array([0.3, 0.4, 0.3])
for name, method in {
    "multiplicative weights": mg.MultiplicativeWeights(step_size=0.1),
    "a fixed magnet": mg.MagneticMirrorDescent(),
    "MPO, a refresh every 3 steps": mg.MagneticPreferenceOptimization(step_size=0.3, magnet_strength=0.3, refresh_every=3),
    "AdaptiveMPO": mg.AdaptiveMPO(),
}.items():
    control = mg.verify(mg.solve(game, method, steps=20_000, until=1e-10, start=start))
    print(f"{name:28s} gap {control.trace.gap:.1e}  {control.headline.sentence}")

# %% [markdown]
# ## Told something else
#
# Between exact tables and a language model stands what the players are told. If it is the payoffs of another table P', whoever finds that table's equilibrium is within 2·max|P' − P| of one of the game's, and may be
# nearer; if votes or noise are new at every step, a method must average them, and one that trusts every digit must not.

# %%
game = mg.games.random(n=10, seed=1)
uniform = np.full(game.actions, 1 / game.actions)
print(f"{'scale':>6s} {'bound':>8s} {'AdaptiveMPO':>12s} {'OMWU':>8s}   (noise of one table, relative to L; gaps in the real game)")
for scale in (0.001, 0.01, 0.1):
    told = mg.Noisy(scale=scale, when="once", seed=0)
    bound = mg.gap_difference_bound(game, told.begin(game).game_at(uniform))
    gaps = [mg.solve(game, method, products=20_000, feedback=told).gap for method in (mg.AdaptiveMPO(), mg.OptimisticMultiplicativeWeights(step_size=2.0))]
    print(f"{scale:6g} {bound:8.1e} {gaps[0]:12.1e} {gaps[1]:8.1e}")
