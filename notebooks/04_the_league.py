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
# # The league: which method, with nothing to tune
#
# [03_predicted_rates](03_predicted_rates.ipynb) chose settings from a game's own frequencies, and that was worth more than the choice of method. But
# whoever knows the frequencies knows the equilibrium already. This notebook asks which method does well where nothing is known and nothing is tuned.
# `AdaptiveMPO` has no setting: it takes from the payoffs when to move the magnet and how strong it is. `benchmarks/suites/league.toml` plays it against
# thirty rivals and variants of them, each with the best setting of its grid, on 23 games. Cost is counted in *products*: the payoffs of all actions
# against one policy. The notebook reads the stored result and looks inside. It runs for about fifteen seconds.

# %%
import json
from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pyarrow.parquet as parquet

import mmd_games as mg
from mmd_games.sweeps.standings import best_settings, performance_ratios, standings

plt.rcParams["axes.titlesize"] = "medium"
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
# A rival that does not get there within its budget counts as the budget, so ratios flatter it. The profile says for each method on which share of the
# games it needs at most so many times what the best method needs; where a curve ends on the right is how often it gets there at all.

# %%
ratios = performance_ratios(best)
leaders = sorted(ratios, key=lambda name: -sum(np.isfinite(ratios[name])))[:9]
fig, ax = plt.subplots(figsize=(11, 4.2), layout="constrained")
mg.plots.plot_profile({name: ratios[name] for name in leaders}, "League: the nine methods that get there most often", champion=CHAMPION, ax=ax);

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
# Five actions on a ring whose two rotations differ in speed by a factor of exactly κ (`conditioned_cycle`). Methods that step along the payoffs pay for
# it: κ² for OMWU, κ for restarts to the average and for MPO with the extragradient inside. Newton steps see both rotations at once.

# %%
condition = stored("condition")
fig, ax = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
for index, name in enumerate(dict.fromkeys(row["algorithm"] for row in condition)):
    costs = {float(found.game.partition("=")[2]): found.products for found, _ in best_settings(condition, LEVEL) if found.algorithm == name and found.reached}
    kappas, products = np.array(list(costs)), np.array(list(costs.values()))
    exponent = np.polyfit(np.log(kappas), np.log(products), 1)[0] if len(kappas) > 1 else np.nan
    look = {"color": mg.plots.COLOURS[index], "linestyle": mg.plots.DASHES[index], "marker": mg.plots.MARKERS[index]}
    ax.loglog(kappas, products, **look, label=f"{name}: exponent {exponent:.2f}")
    print(f"{name:25s} {'  '.join(f'{cost:9,d}' for cost in products)}   exponent {exponent:.2f}")
ax.set(xlabel="condition κ, fastest over slowest mode", ylabel="products to a gap of 1e-8 L", title="What conditioning costs, with the best setting of each grid")
ax.legend(fontsize="small");

# %% [markdown]
# ## Inside
#
# A run on a random game of 30 actions. The strength α of the magnet falls as long as Newton steps can follow, and KL from the equilibrium to the magnet
# falls at *every* refresh, by an amount that is known in advance and that the judge recomputes; its curve bends downwards, which no linear rate does. The
# gap need not fall at every step.

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
fig, ax = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
ax.semilogy(trace.products, trace.gaps, color="black", linewidth=1.2, label="duality gap")
ax.semilogy(at, np.maximum(divergence, 1e-17), color=mg.plots.COLOURS[0], marker="o", linestyle="--", label="KL from the equilibrium to the magnet (down to rounding)")
ax.semilogy(at, trace.stages.magnet_strengths, color=mg.plots.COLOURS[1], drawstyle="steps-post", linestyle=":", label="strength α of the magnet")
ax.set(xlabel="products", ylabel="gap, nats, payoff units", title="A run of AdaptiveMPO: random, n = 30")
ax.legend(fontsize="small")
print(report.headline.sentence)
print(next(claim for claim in report.claims if claim.name == "relative_error").detail)

# %% [markdown]
# ## Controls
#
# What must not converge does not. On the small game, the verdicts of the first two notebooks once more, beside that of `AdaptiveMPO`:

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
# Between exact tables and a language model stands what the players are told. If it is the payoffs of another table P', whoever finds that table's
# equilibrium has a gap of at most 2·max|P' − P| in the real game. If votes or noise are new at every step, a method must average them, and `AdaptiveMPO`,
# which trusts every digit, does not: this is what a setting of MPO is good for.

# %%
game = mg.games.random(n=10, seed=1)
uniform = np.full(game.actions, 1 / game.actions)
budgets = {mg.AdaptiveMPO(): 1_000, mg.MagneticPreferenceOptimization(): 20_000}
print(f"{'one table, wrong by':>21} {'bound':>8} {'AdaptiveMPO':>12} {'MPO':>8}   (gaps in the real game)")
for scale in (0.001, 0.01, 0.1):
    told = mg.Noisy(scale=scale, when="once", seed=0)
    bound = mg.gap_difference_bound(game, told.begin(game).game_at(uniform))
    gaps = [mg.solve(game, method, products=products, feedback=told).gap for method, products in budgets.items()]
    print(f"{f'{scale:g} L':>21} {bound:8.1e} {gaps[0]:12.1e} {gaps[1]:8.1e}")
votes = mg.Sampled(opponents=16, seed=0)
told = [mg.solve(game, method, products=4_000, feedback=votes) for method in budgets]
print(f"{'votes of 16 opponents':>21} {'':8}" + "".join(f"{np.median(run.gaps[len(run.gaps) // 2 :]):{width}.1e}" for run, width in zip(told, (12, 9), strict=True)))

# %% [markdown]
# ## What we saw
#
# With nothing to tune, `AdaptiveMPO` passed on nearly all games against rivals at their best settings, and its cost hardly grew with the condition κ,
# where that of all others did. It is no method for noise: told by votes, MPO with its settings came nearer to the equilibrium. Told a wrong table, both
# found that table's equilibrium, well within the bound.
#
# Next: [05_language_model](05_language_model.ipynb), on the same rule where policies are networks.
