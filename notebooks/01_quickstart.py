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
# # Quickstart: does the last iterate converge?
#
# A preference game says how often each answer is preferred to each other one. Self-play should find its Nash equilibrium, the policy that no other beats.
# Most methods get there only *on average*, or reach the equilibrium of a *regularised* game. Magnetic Preference Optimization (MPO) moves its reference
# policy, the *magnet*, and is said to reach the real one with its last iterate. Does it? This notebook, the first of six, runs it exactly on a game of
# three answers, beside two rivals, and has the judge say what happened. It runs for a few seconds.

# %%
import matplotlib.pyplot as plt

import mmd_games as mg

game = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
game

# %% [markdown]
# The table of win probabilities: rock beats scissors nine times out of ten, and so on around the cycle. This asymmetric rock-paper-scissors is the small
# game of all six notebooks.

# %%
fig, ax = plt.subplots(figsize=(4.6, 3.8), layout="constrained")
mg.plots.plot_payoffs(game, ax=ax);

# %% [markdown]
# ## One run and its verdict
#
# Settings that are left open are filled in from the game by theory. The run stops once the duality gap (what the best replies to the policy win, zero
# only at an equilibrium) is below `until`.

# %%
trace = mg.solve(game, mg.MagneticPreferenceOptimization(), until=1e-10)
report = mg.verify(trace)
print(report)

# %% [markdown]
# The judge did not take the run's word for it: it recomputed the gaps from the recorded policies, computed the last one in exact rational arithmetic, and
# compared the policy with an equilibrium computed independently. That equilibrium is (4, 3, 4)/11, and this is where the run ended, in elevenths:

# %%
for name, share in zip(game.labels[0], trace.policy, strict=True):
    print(f"{name:9} {11 * share:.6f}")

# %% [markdown]
# ## Three methods, one budget
#
# Each method plays 3,000 steps: MPO; Magnetic Mirror Descent, whose magnet stays where it is; and multiplicative weights, which have none.

# %%
methods = [mg.MagneticPreferenceOptimization(), mg.MagneticMirrorDescent(), mg.MultiplicativeWeights()]
runs = [mg.solve(game, method, steps=3_000) for method in methods]

fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
mg.plots.plot_gaps(runs, ax=axes[0])
mg.plots.plot_simplex(runs, ax=axes[1]);

# %%
for name, run in zip(("mpo", "mmd", "mwu"), runs, strict=True):
    report = mg.verify(run, tolerance=1e-9)
    print(f"{name}: {report.verdict.value.upper()}. {report.headline.sentence}")
    print(f"     gap of the last iterate {run.gap:.1e}, of the average of all {run.average_gaps[-1]:.1e}")

# %% [markdown]
# ## What we saw
#
# The judge confirmed MPO and refuted the other two: a magnet that stays stops at a gap that more steps do not lower, and without a magnet play moves
# away, while the average of its policies comes nearer. So the last iterate can converge, and what decides is the magnet. Why it must move is left open
# here.
#
# `mg.read_game("wins.csv")` reads a table of your own, with or without labels, and `mmd-games verify wins.csv` does all of this from the command line.
#
# Next: [02_why_the_magnet_moves](02_why_the_magnet_moves.ipynb), on what the magnet does.
