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
# A preference game says how often each answer is preferred to each other one. Self-play should find its Nash equilibrium, the policy that no other
# beats. Most methods get there only *on average*, or reach the equilibrium of a *regularised* game. Magnetic Preference Optimization (MPO) moves its
# reference policy, the *magnet*, and its last iterate reaches the real one. This notebook runs it exactly on a game of three answers, beside two rivals, and
# has the judge say what happened.

# %%
import matplotlib.pyplot as plt

import mmd_games as mg

game = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
game

# %% [markdown]
# The table of win probabilities: the first answer beats the second nine times out of ten, and so on around the cycle.

# %%
fig, ax = plt.subplots(figsize=(4.6, 3.8), layout="constrained")
mg.plots.plot_payoffs(game, ax=ax);

# %% [markdown]
# ## One run and its verdict
#
# Settings that are left open are filled in from the game by theory. The run stops once the duality gap is below `until`.

# %%
trace = mg.solve(game, mg.MagneticPreferenceOptimization(), until=1e-10)
report = mg.verify(trace)
print(report)

# %% [markdown]
# The equilibrium of this game is (4, 3, 4)/11. The judge did not take the run's word for it: it recomputed the gaps from the recorded policies, computed the
# last one in exact rational arithmetic, and compared the policy with an equilibrium computed independently.

# %%
trace.policy * 11

# %% [markdown]
# ## Three methods, one budget
#
# A **fixed magnet** (regularised Nash) stops at a plateau that is known beforehand. **Multiplicative weights** converge on average (thin line), while their last
# iterate (thick) moves to the edge of the simplex. **MPO**'s last iterate falls on a straight line.

# %%
methods = [mg.MagneticPreferenceOptimization(), mg.MagneticMirrorDescent(), mg.MultiplicativeWeights()]
runs = [mg.solve(game, method, steps=3_000) for method in methods]

fig, axes = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
mg.plots.plot_gaps(runs, ax=axes[0])
mg.plots.plot_simplex(runs, ax=axes[1]);

# %%
for run in runs:
    print(mg.verify(run, tolerance=1e-9).headline.sentence)

# %% [markdown]
# ## On your own table
#
# `mg.read_game("wins.csv")` reads a table with or without labels, and `mmd-games verify wins.csv` does all of this from the command line.
