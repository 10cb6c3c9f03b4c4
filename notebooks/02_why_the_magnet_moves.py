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
# # Why the magnet moves
#
# In [01_quickstart](01_quickstart.ipynb) three methods differed above all in their magnet, and one of them converged. This notebook asks why. Without a
# magnet, self-play drifts away from the equilibrium. A magnet stops the drift, but play then rests where the pull and the payoffs balance. Moving the
# magnet to that place, again and again, takes the *last* iterate to the equilibrium. Each of these facts is shown on the same game of three answers, then
# all of them on a larger one. Every statement is a verdict of the judge, or a number computed in its cell. It runs for about ten seconds, and for half a
# minute more where the compiled loop has to be built first.
#
# | symbol | in code | meaning |
# |---|---|---|
# | π, ρ, π* | `policy`, magnet, `mg.nash(game).policy` | the policy, the policy it is pulled to, a Nash equilibrium |
# | S, L | `game` | payoff table (win probability less ½) and its largest entry |
# | η, α | `step_size`, `magnet_strength` | how far a step goes, how strong the pull is |
# | K | `refresh_every` | steps from one move of the magnet to the next |
# | gap | `trace.gaps` | duality gap (NashConv): what the best replies to π win; zero only at an equilibrium |
# | KL(p‖q) | `divergence` below | Σ p log(p/q), zero only for p = q |
#
# One step is π⁺ ∝ [π · ρ^(ηα) · e^(ηSπ)]^(1/(1 + ηα)). With α = 0 it is multiplicative weights.

# %%
import itertools

import matplotlib.pyplot as plt
import numpy as np

import mmd_games as mg

plt.rcParams["axes.titlesize"] = "medium"
game = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
equilibrium = mg.nash(game)
first = np.array([0.1, 0.1, 0.8])  # where every run begins, and the first magnet: in training, the reference model
print(equilibrium)


def divergence(target, log_policies):
    """KL(target‖π) of each of the log-policies."""
    played = target > 0
    return np.sum(target[played] * (np.log(target[played]) - log_policies[..., played]), axis=-1)


def judged(name, trace, *claims):
    """Print the judge's answer, and the numbers of the claims asked for."""
    report = mg.verify(trace)
    print(f"{name}: {report.verdict.value.upper()}. {report.headline.sentence}")
    for claim in report.claims:
        if claim.name in claims and claim.predicted is not None:
            measured = "" if claim.measured is None else f", measured {claim.measured:.7g}"
            print(f"    {claim.name}: predicted {claim.predicted:.7g}{measured}, {claim.verdict.value}")


# %% [markdown]
# ## Without a magnet, play spirals out
#
# Multiplicative weights raise what wins against the present policy. In a cycle that is always one step late. Near the equilibrium a step turns play by
# the angle ηω, and stretches its distance by √(1 + η²ω²), which is more than one for every step size. (ω is the frequency of the rotation, a number of
# the game; [03_predicted_rates](03_predicted_rates.ipynb) is about it.) The start is 0.01% off the equilibrium, so that the stretching can be measured
# before the edge of the simplex is felt.

# %%
fine = mg.Record(gaps=2_000, policies=2_000)  # for smooth curves in the pictures
weights = mg.MultiplicativeWeights(step_size=0.5)
spiral = mg.solve(game, weights, steps=1_600, start=(1 - 1e-4) * equilibrium.policy + 1e-4 * first, record=fine)
judged("multiplicative weights", spiral, "predicted_rate")
print(f"gap of the average of all policies: {spiral.average_gaps[-1]:.4f}, of the last one: {spiral.gap:.4f}")

# %% [markdown]
# The average is nearer than the last policy. But a language model is the last iterate: averaging networks' weights does not average their policies.
#
# ## A fixed magnet stops at a plateau that is known in advance
#
# With a magnet that stays, every step brings the policy closer to *one* point, the equilibrium of the game with the penalty α·KL(π‖ρ).
# `mg.regularised_equilibrium` computes it without any run. There, the gap of the real game is
#
# 2α · [ max log(π/ρ) − KL(π‖ρ) ],
#
# zero only if the magnet was an equilibrium already. The table compares this number with long runs.

# %%
print(f"{'α':>7} {'plateau, formula':>17} {'plateau, run':>13} {'factor a step':>14} {'steps a decade':>15}   verdict")
resting, fixed = {}, {}
for strength in (0.4, 0.2, 0.1, 0.05, 0.025):
    method = mg.MagneticMirrorDescent(magnet_strength=strength)  # step size α/L², the largest that the contraction theorem covers
    resting[strength] = mg.regularised_equilibrium(game, magnet_strength=strength, log_magnet=np.log(first))
    log_ratio = resting[strength].log_policy - np.log(first)
    formula = 2 * strength * (log_ratio.max() - resting[strength].policy @ log_ratio)
    fixed[strength] = mg.solve(game, method, steps=12_000, start=first, record=fine)
    predicted = mg.predict_rate(game, method, log_magnet=np.log(first))
    report = mg.verify(fixed[strength])
    print(
        f"{strength:7.3f} {formula:17.8f} {fixed[strength].gap:13.8f} {predicted.factor:14.6f} {np.log(10) / predicted.exponent:15.0f}"
        f"   {report.headline.name.lower()}"
    )

# %% [markdown]
# Formula and run agree to every digit shown. A weaker magnet has a lower plateau, and halving it makes the way there longer, for weak magnets about four
# times, as the step size has to fall with it. No strength takes the policy to the equilibrium. The judge's word *regularised* says so. In the picture on
# the right the dotted curve is where fixed magnets of all strengths come to rest: it leads from the magnet to the equilibrium, and reaches it only for
# strength zero.

# %%
CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])  # as mg.plots.plot_simplex draws them
fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
mg.plots.plot_simplex(spiral, labels=["multiplicative weights"], ax=axes[0])
shown = (0.4, 0.1, 0.025)
mg.plots.plot_simplex([fixed[strength] for strength in shown], labels=[f"fixed, α = {strength:g}" for strength in shown], ax=axes[1])
curve = [mg.regularised_equilibrium(game, magnet_strength=strength, log_magnet=np.log(first)).policy for strength in np.geomspace(1e-3, 30, 80)]
axes[1].plot(*(np.array(curve) @ CORNERS).T, color="black", linestyle=":", linewidth=1.2, label="where fixed magnets end")
axes[0].set_title("no magnet: outwards", pad=22)
axes[1].set_title("fixed magnets: short of the equilibrium", pad=22)
axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="small", frameon=False);

# %% [markdown]
# ## A magnet that is weakened: nearer, ever more slowly
#
# If a weaker magnet has a lower plateau, weaken it while playing. The plateau falls, and so does the speed at which play follows.

# %%
annealed = mg.solve(game, mg.MagneticMirrorDescent(magnet="annealed"), steps=20_000, start=first)
judged("annealed magnet", annealed)
for steps in (200, 2_000, 20_000):
    print(f"    gap after {steps:6,} steps: {np.interp(steps, annealed.iterations, annealed.gaps):.5f}")

# %% [markdown]
# ## A magnet that moves: the equilibrium, linearly
#
# Magnetic Preference Optimization keeps the strength. Every K steps it puts the magnet where the policy is. Each stage then ends nearer to the
# equilibrium than it began, by the same factor, so the gap falls on a straight line. The judge compares the line with the one that theory predicts from
# the game.

# %%
moving = mg.solve(game, mg.MagneticPreferenceOptimization(magnet_strength=0.1), steps=2_000, start=first, record=fine)
judged("moving magnet", moving, "rate", "predicted_rate")

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
names = ["no magnet", "fixed, α = 0.1", "fixed, α = 0.025", "annealed", "moving, α = 0.1"]
runs = [mg.solve(game, run.algorithm, steps=2_000, start=first) for run in (spiral, fixed[0.1], fixed[0.025], annealed, moving)]
mg.plots.plot_gaps(runs, labels=names, average=False, against="iterations", ax=axes[0])
axes[0].legend(fontsize="small", loc="lower left")
mg.plots.plot_simplex(moving, labels=["moving, α = 0.1"], ax=axes[1])
magnets = np.exp(moving.stages.log_magnets) @ CORNERS
axes[1].plot(*magnets.T, color="black", marker="s", markersize=4, linewidth=0, label="its magnets")
axes[0].set_title("five magnets, one budget")
axes[1].set_title("the magnet moves to the equilibrium", pad=22)
axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="small", frameon=False);

# %% [markdown]
# ## Moving it too soon diverges
#
# Why not move the magnet at every step? Then the pull is always towards where play already is, and it does nothing: K = 1 *is* multiplicative weights, at
# the step size η/(1 + ηα).
#
# A stage must be long enough to undo what its own rotation stretches. For small ηα and small ηω²/α, where ω is the frequency of the rotation, the border
# is near √(3/(ηα)). The exact one comes from `mg.predict_rate`: the factor by which the distance to the equilibrium changes from one refresh to the
# next. Runs of 200 stages show the same factor.

# %%
settings = [(0.3, 0.3), (0.3, 0.1), (0.1, 0.1)]


def stage(step_size, strength, every):
    """The method, and the predicted factor of one stage."""
    method = mg.MagneticPreferenceOptimization(step_size=step_size, magnet_strength=strength, refresh_every=every)
    return method, mg.predict_rate(game, method, at=equilibrium)


near = (1 - 1e-6) * equilibrium.policy + 1e-6 * first


def stretched(eta, alpha, every):
    """The factor of a stage that a run of 200 stages shows, from the amplitude of the game's one rotation."""
    method, prediction = stage(eta, alpha, every)
    run = mg.solve(game, method, steps=200 * every, start=near)
    size = np.abs(prediction.spectrum.amplitudes(run.stages.log_magnets, prediction.log_target)[:, 0])
    return (size[-1] / size[0]) ** (1 / 200)


print(f"{'η':>5} {'α':>5} {'√(3/(ηα))':>10} {'smallest K':>11} | {'predicted':>10} {'run':>10} | at K − 1: {'predicted':>10} {'run':>10}")
smallest = {}
for eta, alpha in settings:
    smallest[eta, alpha] = enough = next(every for every in range(1, 1_000) if stage(eta, alpha, every)[1].kind == "linear")
    told = [(stage(eta, alpha, every)[1].factor, stretched(eta, alpha, every)) for every in (enough, enough - 1)]
    border = np.sqrt(3 / (eta * alpha))
    print(f"{eta:5.2f} {alpha:5.2f} {border:10.2f} {enough:11d} | {told[0][0]:10.6f} {told[0][1]:10.6f} | {'':9} {told[1][0]:10.6f} {told[1][1]:10.6f}")

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
stages = np.unique(np.concatenate([np.arange(1, 31), np.geomspace(30, 400, 40).astype(int)]))
for index, (eta, alpha) in enumerate(settings):
    factors = [stage(eta, alpha, int(every))[1].factor for every in stages]
    look = {"color": mg.plots.COLOURS[index], "linestyle": mg.plots.DASHES[index]}
    for ax in axes:
        ax.plot(stages, factors, **look, label=f"η = {eta:g}, α = {alpha:g}")
    axes[0].plot(np.sqrt(3 / (eta * alpha)), 1.0, marker=mg.plots.MARKERS[index], color=look["color"], linestyle="none", markersize=8)
for ax in axes:
    ax.axhline(1, color="black", linewidth=0.8)
    ax.set(xlabel="K, steps from one refresh to the next", ylabel="factor of the distance, a refresh")
axes[0].set(xlim=(0, 30), ylim=(0.98, 1.005), title="short stages: above one it diverges; marks: √(3/(ηα))")
axes[1].set(xscale="log", ylim=(0, 1.05), title="long stages")
axes[1].legend(fontsize="small");

# %% [markdown]
# Too large a K costs time only, where the stage by itself converges, η(ω² − α²) < 2α, as it does here: one that has reached its regularised equilibrium
# gains nothing from more steps, and the curves flatten. Then, in doubt, choose K larger; the library's default is at least one and a half times the
# border. Where the stage by itself diverges, no K is large enough, and η must be smaller.
#
# ## A larger game, in which most answers lose
#
# In this game of eleven answers, drawn at random, the equilibrium plays five. The other six must die out. All that was said holds here too.

# %%
large = mg.games.from_spec("random:n=11,seed=8")
target = mg.nash(large)
print(target)
unit = large.scale
candidates = {
    "no magnet": mg.MultiplicativeWeights(step_size=0.5 / unit),
    "fixed": mg.MagneticMirrorDescent(magnet_strength=0.2 * unit),
    "fixed, weaker": mg.MagneticMirrorDescent(magnet_strength=0.05 * unit),
    "annealed": mg.MagneticMirrorDescent(magnet="annealed"),
    "moving": mg.MagneticPreferenceOptimization(magnet_strength=0.2 * unit),
    "moving, K too small": mg.MagneticPreferenceOptimization(magnet_strength=0.2 * unit, step_size=0.2 / unit, refresh_every=4),
}
races = {name: mg.solve(large, method, steps=30_000) for name, method in candidates.items()}
for name, trace in races.items():
    judged(name, trace, "plateau", "predicted_rate")
    print(f"    gap at the end {trace.gap:.2e}; answers above 1e-6: {np.count_nonzero(trace.policy > 1e-6)} (equilibrium: {len(target.support)})")

# %% [markdown]
# The fixed magnets keep all eleven answers alive. The annealed one gets the support right, and its gap is still almost three parts in a thousand after
# 30,000 steps. Only the moving one, with K large enough, arrives.

# %%
fig, ax = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
mg.plots.plot_gaps(list(races.values()), labels=list(races), average=False, against="iterations", ax=ax)
ax.legend(fontsize="small", loc="lower left");

# %% [markdown]
# ## Why it works: every stage comes closer, by a known amount
#
# Let ρ be the magnet of a stage and ρ⁺ the next one. If the stage is solved exactly, then for every Nash equilibrium π*
#
# KL(π*‖ρ) − KL(π*‖ρ⁺) = KL(ρ⁺‖ρ) + (1/α) Σᵢ dᵢ ρ⁺ᵢ.
#
# Here dᵢ ≥ 0 is what answer i earns less than the best ones against π*. Neither term can be negative. So the distance to *all* equilibria falls at every
# refresh, and it falls by how far the magnet moved, plus what losing answers still weigh. With K steps a stage 1/α becomes (1 − (1 + ηα)^(−K))/α, and
# what is left is the inexactness of the stage. (A sequence that never moves away from a set is called Fejér monotone.)

# %%
long = mg.MagneticPreferenceOptimization(magnet_strength=0.2 * unit, refresh_every=400).with_defaults(large.scale)
runs = {"K = 400": mg.solve(large, long, steps=30 * 400), "K = 4, too small": races["moving, K too small"]}
print(f"the judge, on every refresh: {mg.verify(runs['K = 400']).claim('fejer').verdict.value}")
magnets = runs["K = 400"].stages.log_magnets
away = divergence(target.policy, magnets)
fallen = away[:-1] - away[1:]
moved = np.array([divergence(np.exp(after), before) for before, after in itertools.pairwise(magnets)])
weight = (1 - (1 + long.step_size * long.magnet_strength) ** -long.refresh_every) / long.magnet_strength
slack = np.where(target.policy > 0, 0.0, -large.payoffs(target.policy))
losing = weight * np.exp(magnets[1:]) @ slack
print(f"smallest fall of KL(π*‖ρ) at a refresh: {fallen.min():.2e}")
missed = np.abs(fallen - moved - losing)
print(f"largest difference between the fall and its two terms: {missed.max():.1e}, at a refresh where it fell by {fallen[np.argmax(missed)]:.1e}")
print(f"sum of all KL(ρ⁺‖ρ) so far: {moved.sum():.4f}; KL(π*‖ρ) at the start: {away[0]:.4f}")

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for index, (name, run) in enumerate(runs.items()):
    values = divergence(target.policy, run.stages.log_magnets)
    axes[0].plot(run.stages.iterations, values, color=mg.plots.COLOURS[index], linestyle=mg.plots.DASHES[index], label=name)
axes[0].set_yscale("log")
axes[0].set_xlim(0, runs["K = 400"].steps)
axes[0].set_xlabel("iterations")
axes[0].set_ylabel("KL(π*‖ρ)")
axes[0].set_title("distance of the magnet to the equilibrium")
axes[0].legend(fontsize="small")
places = np.arange(1, 13)
axes[1].bar(places, moved[:12], color="#0072B2", label="KL(ρ⁺‖ρ): the magnet moved")
axes[1].bar(places, losing[:12], bottom=moved[:12], color="#E69F00", hatch="//", edgecolor="black", linewidth=0.4, label="losing answers' weight")
axes[1].plot(places, fallen[:12], "k_", markersize=14, markeredgewidth=1.5, label="fall of KL(π*‖ρ)")
axes[1].set_xlabel("refresh")
axes[1].set_ylabel("nats")
axes[1].set_title("what it falls by, K = 400")
axes[1].legend(fontsize="small");

# %% [markdown]
# With K = 4 the losing answers die out first, so the distance falls for a while. Then the rotation among the winning ones takes over.
#
# ## What it means for a fine-tuning run
#
# **A reference model that never moves sets the result.** Training then ends at the regularised equilibrium, however long it runs. How far that is from
# the real one need not be guessed. The plateau is 2α·[max log(π/ρ) − KL(π‖ρ)], and a trainer has the log-ratios of its policy to its reference at hand.
# Here is the estimate from 64 answers sampled from the fixed magnet's last policy, beside the exact gap. A sample can miss the largest ratio, so the
# estimate tends to be low.

# %%
stuck, strength = races["fixed"], 0.2 * unit
answers = np.random.default_rng(0).choice(large.actions, size=64, p=stuck.policy)
log_ratios = (stuck.log_policy - stuck.stages.log_magnets[0])[answers]
print(f"gap estimated from log-ratios: {2 * strength * (log_ratios.max() - log_ratios.mean()):.4f}; exact: {stuck.gap:.4f}")

# %% [markdown]
# **Add up how far the reference moves.** By the equality above the sum of all KL(ρ⁺‖ρ) is at most KL(π*‖ρ) of the first reference (for a uniform one at
# most log n). So the sum must level off, and it can be measured without knowing any equilibrium. If it keeps growing, K is too small or
# η too large.

# %%
print(f"log n = {np.log(large.actions):.2f}")
for name, run in runs.items():
    magnets = run.stages.log_magnets
    sums = np.cumsum([divergence(np.exp(after), before) for before, after in itertools.pairwise(magnets)])
    shown = [sums[int(part * (len(sums) - 1))] for part in (0.05, 0.25, 0.5, 0.75, 1.0)]
    print(f"{name:>16}: sum of KL(ρ⁺‖ρ) after 5, 25, 50, 75, 100% of the run: " + ", ".join(f"{value:.2g}" for value in shown))

# %% [markdown]
# ## What we saw
#
# Without a magnet play moved away at the predicted rate. A fixed magnet stopped at a gap that a formula gives beforehand, and a weakened one came nearer
# ever more slowly. A magnet that moves took the last iterate to the equilibrium on a straight line, in the small game and in the larger one, and every
# refresh brought it closer by a known amount. Moved too soon it failed: at K = 4 the distance fell at first and then grew.
#
# All of this is exact play. A method that fails here, where nothing is in its way, has no reason to work on a language model.
#
# Next: [03_predicted_rates](03_predicted_rates.ipynb), on how fast, and with which settings.
