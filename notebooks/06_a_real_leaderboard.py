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
# # A simulated leaderboard: from battles to a lottery
#
# [05_language_model](05_language_model.ipynb) could list every answer and ask every reader. A leaderboard cannot: it has battles, in which somebody saw
# two answers and named the better one. Pairs meet often, rarely or never, and no list of points can say that styles beat each other in a circle. This
# notebook asks what such battles say: who is first, and how surely. Its battles are nobody's: they are drawn from an arena whose truth is known, so that
# answers can be checked. It builds the arena, counts its battles, ranks it, and ends where the first notebook began, with a game for self-play. It
# runs for about ten seconds.
#
# ## An arena whose truth is known
#
# Thirteen models of three families, ash, birch and cedar, and a newcomer, elm. Each has a *skill* in Elo points. Each family has a *style*, and styles
# are the rock, paper and scissors of [01_quickstart](01_quickstart.ipynb), at half strength: at equal skill a judge who sees a difference prefers ash to
# birch in 70 of 100 battles, birch to cedar in 70, and cedar to ash in 65. A quarter of all battles are ties. The best of each family are equally
# skilled. `birch-1-copy` is birch-1 under a second name.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import mmd_games as mg

plt.rcParams["axes.titlesize"] = "medium"
SKILLS = {"ash-1": 1200, "ash-2": 1150, "ash-3": 1080, "ash-4": 980}
SKILLS |= {"birch-1": 1200, "birch-1-copy": 1200, "birch-2": 1160, "birch-3": 1110, "birch-4": 1050, "birch-5": 950}
SKILLS |= {"cedar-1": 1200, "cedar-2": 1130, "cedar-3": 1020, "elm": 1160}
STYLES = {"ash": 0, "birch": 1, "cedar": 2}  # elm has none
TIED = 0.25  # share of the battles
small = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))


def preferred(skills):
    """How often each model is preferred to each other one where the judge sees a difference."""
    points = np.array(list(skills.values()))
    styles = [STYLES.get(name.partition("-")[0]) for name in skills]
    known = np.array([style is not None for style in styles])
    place = np.array([style or 0 for style in styles])
    share = 0.5 + 0.5 * small.payoff_matrix[np.ix_(place, place)] * np.outer(known, known)
    odds = share / (1 - share) * 10 ** ((points[:, None] - points[None, :]) / 400)
    return odds / (1 + odds)


def true_game(skills, name="the true arena"):
    """The game of true win rates, a tie as half a win."""
    table = (1 - TIED) * preferred(skills) + TIED / 2
    return mg.PreferenceGame(table, labels=list(skills), name=name)


truth = true_game(SKILLS)
fig, ax = plt.subplots(figsize=(7.2, 6.2), layout="constrained")
mg.plots.plot_payoffs(truth, ax=ax);

# %% [markdown]
# Within a family the better one beats the other. Between families the picture is a cycle: bright blocks, dark blocks.
#
# ## Battles
#
# Forty thousand battles. Pairs are uneven: popular models meet often. elm came late and has met few, and the last of each family had left before it came,
# so those pairs never met. One tie in three is called *tie (bothbad)*. The file is read as a leaderboard's would be, and pairs that never met are
# refused.

# %%
NAMES = list(SKILLS)
ELM, GONE = NAMES.index("elm"), [NAMES.index(name) for name in ("ash-4", "birch-5", "cedar-3")]
popularity = np.random.default_rng(6).lognormal(sigma=0.7, size=len(NAMES))
popularity[ELM] = 0.04
chance = np.triu(np.outer(popularity, popularity), 1)
chance[GONE, ELM] = 0


def draw(count, seed):
    """So many battles, as a table with the columns model_a, model_b and winner."""
    rng = np.random.default_rng(seed)
    pairs = np.array(np.unravel_index(rng.choice(chance.size, size=count, p=(chance / chance.sum()).ravel()), chance.shape))
    first, second = np.where(rng.random(count) < 0.5, pairs, pairs[::-1])
    winner = np.where(rng.random(count) < preferred(SKILLS)[first, second], "model_a", "model_b").astype(object)
    tied = rng.random(count) < TIED
    winner[tied] = np.where(rng.random(tied.sum()) < 1 / 3, "tie (bothbad)", "tie")
    names = np.array(NAMES, dtype=object)
    return pd.DataFrame({"model_a": names[first], "model_b": names[second], "winner": winner})


folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "battles.csv"
draw(40_000, seed=0).to_csv(path, index=False)
print("".join(path.read_text().splitlines(keepends=True)[:6]))
try:
    mg.PreferenceGame.from_battles(path)
except mg.InputError as error:
    print(str(error).replace(folder.name, "…"))

# %% [markdown]
# A table needs every pair, and a pair that never met has no win rate. The library does not choose; it asks. Here every pair is given one tied battle. It
# makes the pairs that never met even, and hardly moves the others. The same in one line, from a shell:
#
# ```sh
# mmd-games rank battles.csv --unmet prior:strength=1 --bootstrap 500 --out ranking/
# ```

# %%
game = mg.PreferenceGame.from_battles(path, unmet="prior:strength=1")
assert game.labels[0] == tuple(NAMES)
ranking = mg.rank(game, bootstrap=500, seed=0)
print(ranking)

# %% [markdown]
# ## Reading it
#
# The *lottery* is the Nash equilibrium of the table: a choice at random among models that no model beats on average. Three share it, because each of them
# is beaten by another one. Elo, Borda and Copeland put one model first, and say nothing of who beats it. The cycles under the table are the smallest
# ones: in each some model with fewer points wins.
#
# The *interval* needs care. Battles are drawn anew within each pair, 500 times; every such table is solved; the interval holds 95% of the lotteries. A
# lottery jumps where a majority turns, so the interval shows how much the answer varies with such data. It does not promise to hold the truth so often,
# and for pairs with few battles it is too narrow, as the last note says.

# %%
standings = ranking.standings
order = standings.order
fig, axes = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
mg.plots.plot_lottery(ranking.names, standings.equilibrium.policy[order], (standings.sample.low[order], standings.sample.high[order]), title="the lottery and its intervals", ax=axes[0])
axes[0].set_ylabel("model")
axes[0].legend(fontsize="small", loc="lower right")
heights = np.arange(len(NAMES))[::-1]
for index, (name, places) in enumerate({"Elo": standings.elo_place, "Borda": standings.borda_place, "Copeland": standings.copeland_place}.items()):
    look = {"color": mg.plots.COLOURS[index], "marker": mg.plots.MARKERS[index], "markerfacecolor": "none", "markersize": 7 + 2 * index}
    axes[1].plot(places[order], heights, **look, linestyle="none", label=name)
axes[1].set_yticks(heights, ranking.names)
axes[1].set(xlabel="place", ylabel="model, in the order of the lottery", title="places in the older rankings", xticks=range(1, len(NAMES) + 1))
axes[1].grid(axis="x", alpha=0.3)
axes[1].legend(fontsize="small", loc="lower left");

# %% [markdown]
# ## Against the truth
#
# The arena was built, so its equilibrium is known: the best of each family, as 4 : 3 : 4, the equilibrium of [01_quickstart](01_quickstart.ipynb). The
# two names of birch-1 share what it has.

# %%
equilibrium = mg.nash(truth, select="maximum_entropy")
print(f"{'elevenths':14} {'truth':>6} {'counted':>8} {'played in':>10} {'earns, in truth':>16}")
for index in np.argsort(-standings.sample.in_support, kind="stable")[:8]:
    told, found = 11 * equilibrium.policy[index], 11 * standings.equilibrium.policy[index]
    earns = 0.5 + float(truth.payoff_matrix[index] @ equilibrium.policy)
    print(f"{NAMES[index]:14} {told:6.2f} {found:8.2f} {standings.sample.in_support[index]:10.1%} {earns:16.4f}")
both = standings.equilibrium.policy[[NAMES.index("birch-1"), NAMES.index("birch-1-copy")]].sum()
print(f"birch-1 and its copy together: {11 * equilibrium.policy[[4, 5]].sum():.2f} in truth, {11 * both:.2f} as counted")
met = game.comparisons.counts[ELM]
print(f"elm: {met.sum():,} battles, at most {met.max():,} with one other model; the median model has {int(np.median(game.comparisons.counts.sum(axis=1))):,}")

# %% [markdown]
# birch-1 and its copy are equally good, and chance decides which of the two the counted table plays. What they have together is what can be learned. The
# next table asks how surely, with ten arenas of each size. How wrong may a lottery be that was computed from counted win rates P̂? In the true game its
# gap is at most 2·max|P̂ − P| (`mg.gap_difference_bound`). The last column is how often the intervals of ash-1 and cedar-1 hold the true 4/11.

# %%
SIZES, ARENAS = (1_000, 10_000, 100_000), 10
likely = {name: [] for name in ("ash-1", "cedar-1", "elm", "ash-2")}
gaps, bounds = [], []
every_true = np.flatnonzero(equilibrium.policy > 0)
print(f"{'battles':>8} {'on the truly played':>20} {'gap in truth':>13} {'guaranteed':>11} | played, drawn anew: " + " ".join(f"{name:>7}" for name in likely) + " | intervals hold")
for size in SIZES:
    rankings = [mg.rank(mg.PreferenceGame.from_battles(draw(size, seed), unmet="prior:strength=1"), bootstrap=100) for seed in range(100, 100 + ARENAS)]
    policies = np.array([each.standings.equilibrium.policy for each in rankings])
    gaps.append([mg.duality_gap(truth, policy) for policy in policies])
    bounds.append([mg.gap_difference_bound(truth, each.standings.game) for each in rankings])
    for name, shares in likely.items():
        shares.append(np.mean([each.standings.sample.in_support[NAMES.index(name)] for each in rankings]))
    samples = [(each.standings.sample, NAMES.index(name)) for each in rankings for name in ("ash-1", "cedar-1")]
    held = sum(sample.low[index] <= equilibrium.policy[index] <= sample.high[index] for sample, index in samples)
    told = " ".join(f"{shares[-1]:7.0%}" for shares in likely.values())
    print(f"{size:8,} {policies[:, every_true].sum(axis=1).mean():20.0%} {np.mean(gaps[-1]):13.4f} {np.mean(bounds[-1]):11.2f} | {'':19} {told} | {held:4d} of {len(samples)}")

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for index, (name, shares) in enumerate(likely.items()):
    axes[0].plot(SIZES, shares, color=mg.plots.COLOURS[index], linestyle=mg.plots.DASHES[index], marker=mg.plots.MARKERS[index], label=name)
axes[0].set(xscale="log", ylim=(-0.03, 1.03), xlabel="battles", ylabel="share of the resampled tables", title="how often a model is in the lottery")
axes[0].legend(fontsize="small")
for index, (name, values) in enumerate({"guaranteed, 2·max|P̂ − P|": bounds, "gap of the counted lottery": gaps}.items()):
    look = {"color": mg.plots.COLOURS[index], "linestyle": mg.plots.DASHES[index], "marker": mg.plots.MARKERS[index]}
    axes[1].plot(SIZES, np.mean(values, axis=1), **look, label=name)
axes[1].set(xscale="log", yscale="log", xlabel="battles", ylabel="duality gap in the true game", title="how wrong the lottery is, mean of ten arenas")
axes[1].legend(fontsize="small");

# %% [markdown]
# The gap falls with the battles, and what does not belong in the lottery leaves it. The guarantee holds and is loose: it looks at the worst pair, and
# pairs that never met stay wrong however many battles the others have. With a thousand battles many pairs met once or not at all, and the intervals held
# the truth far less often than in 95 of 100 cases, as was said above.
#
# ## What a copy does
#
# In the true game now, so that nothing is due to chance. Copies of birch-1 are entered under more names. No model has become better or worse.

# %%
print(f"{'copies':>6}   {'lottery: ash-1':>14} {'birch-1, all':>12} {'cedar-1':>8}   {'Elo: ash-1':>10} {'birch-1':>8} {'cedar-1':>8}   {'Borda: ash-1':>12} {'birch-1':>8} {'cedar-1':>8}")
alone = {name: skill for name, skill in SKILLS.items() if name != "birch-1-copy"}
for copies in (0, 1, 4, 12):
    arena = true_game(alone | {f"birch-1-copy-{number}": SKILLS["birch-1"] for number in range(copies)})
    found = mg.rank(arena, bootstrap=0).standings
    where = [found.names.index(name) for name in ("ash-1", "birch-1", "cedar-1")]
    shares = found.equilibrium.policy
    birch = sum(share for name, share in zip(found.names, shares, strict=True) if name.startswith("birch-1"))
    elo, borda = [[f"{values[index]:.{digits}f} ({places[index]})" for index in where] for values, places, digits in ((found.elo, found.elo_place, 0), (found.borda + 0.5, found.borda_place, 2))]
    print(f"{copies:6d}   {shares[where[0]]:14.4f} {birch:12.4f} {shares[where[2]]:8.4f}   {elo[0]:>10} {elo[1]:>8} {elo[2]:>8}   {borda[0]:>12} {borda[1]:>8} {borda[2]:>8}")

# %% [markdown]
# The lottery gives the copies together what it gave birch-1, and changes nothing else. Elo and Borda reward whoever beats what is copied, and punish
# whoever loses to it: points and places (in brackets) of ash-1 and cedar-1 move, and cedar-1 falls far, though nothing that the two play has changed.
#
# ## Where one model beats all others
#
# Without the cedars there is no circle among styles. The battles among ashes and birches alone:

# %%
battles = pd.read_csv(path)
without = ~(battles["model_a"].str.startswith(("cedar", "elm")) | battles["model_b"].str.startswith(("cedar", "elm")))
fewer = mg.rank(mg.PreferenceGame.from_battles(battles[without]), bootstrap=500, seed=0)
print(fewer.sentence)
print(f"In {fewer.standings.sample.condorcet.max():.1%} of the resampled tables {fewer.condorcet_winner} beats all others. Elo, Borda and Copeland put it at "
      f"{', '.join(str(places[fewer.standings.condorcet]) for places in (fewer.standings.elo_place, fewer.standings.borda_place, fewer.standings.copeland_place))}.")

# %% [markdown]
# ## The same table, played
#
# A table of battles is a preference game, and self-play on it is what the notebooks before were about. MPO starts at the uniform policy and knows nothing
# of leaderboards. Where does its last iterate go, and how fast?

# %%
method = mg.MagneticPreferenceOptimization()
prediction = mg.predict_rate(game, method)
print(f"predicted: {prediction.kind}, {np.log(10) / prediction.exponent * prediction.steps_per_unit:,.0f} steps a decade")
trace = mg.solve(game, method, steps=200_000, until=1e-10)
report = mg.verify(trace)
print(f"{trace.steps:,} steps: {report.verdict.value.upper()}. {report.headline.sentence}")
rate = report.claim("predicted_rate")
print(f"factor a step: predicted {rate.predicted:.6f}, measured {rate.measured:.6f} ({rate.verdict.value})")
print(f"largest difference from the lottery: {np.abs(trace.policy - standings.equilibrium.policy).max():.0e}")
print(f"gap in the counted game {trace.gap:.0e}, in the true one {mg.duality_gap(truth, trace.policy):.4f}, guaranteed {mg.gap_difference_bound(truth, game):.2f}")
quick = mg.solve(game, mg.AdaptiveMPO(), until=1e-10)
print(f"AdaptiveMPO, with nothing to tune: {int(quick.products[-1]):,} products instead of {int(trace.products[-1]):,}")

# %% [markdown]
# ## The page
#
# `ranking.save(directory)`, or `--out` above, writes the ranking for others: a page with the plot, the table, the cycles and the words explained, which
# needs nothing else; the text that was printed here; all numbers as JSON; the plot alone; and `table.json`, the counted table, which every other command
# reads: `mmd-games verify ranking/table.json` does from a shell what was done above.

# %%
for file in sorted(ranking.save(Path(folder.name) / "ranking").iterdir()):
    print(file.name)
folder.cleanup()

# %% [markdown]
# ## What we saw
#
# Battles make a table, and the equilibrium of the table is a ranking that styles in a circle cannot upset and copies cannot move. How surely it is known
# is a matter of battles: with a thousand of them hardly, with a hundred thousand well, and models that have met few others stay doubtful longest. And the
# ranking is what self-play finds: MPO's last iterate on the table went to the lottery, at the rate that was predicted.
#
# So the six notebooks end where [01_quickstart](01_quickstart.ipynb) began: with a table of win probabilities and one question, whether the last iterate
# reaches its equilibrium.
