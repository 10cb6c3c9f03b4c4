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
# # A language model: no magnet, a fixed magnet, a moving magnet
#
# [04_the_league](04_the_league.ipynb) compared methods on tables, where every policy is possible and payoffs are known. A language model has neither: it
# sees samples, and one network answers all prompts. This notebook asks whether the rule still does what
# [02_why_the_magnet_moves](02_why_the_magnet_moves.ipynb) showed: no magnet goes astray, a fixed one stops short, a moving one comes nearer. It runs for
# about a minute, the building of the model included.
#
# The model is small, but it is one: pre-trained on text until it knows most of a shop's assortment, it answers questions that it has never seen. Ten
# readers vote on its answers: four like them brief, three courteous, three informative. Majorities among them go in a circle, as in rock-paper-scissors,
# so no manner of answering is best, and the equilibrium mixes five. The same model is trained three times, by the same loss, on the same prompts: the
# exact magnetic step of the tables, as a loss on torch. As its answers can be listed, 108 to a question, the duality gap of its policy is computed
# exactly, and the judge of the tables judges it.

# %%
import copy
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, "..")  # the examples lie beside the notebooks

import matplotlib.pyplot as plt
import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback
from transformers.utils import logging

import mmd_games as mg
from examples.small_model import build, grammar, voters
from mmd_games.llm import MagneticPreferenceConfig, MagneticPreferenceTrainer, enumerated_log_policy, trace_from_checkpoints

plt.rcParams["axes.titlesize"] = "medium"
torch.set_num_threads(1)
logging.set_verbosity_error()
logging.disable_progress_bar()
recipe = build.Recipe(hidden=64, layers=1, documents=1000, steps=400, batch=24, learning_rate=1e-2)  # the model of the examples, but with one layer
scratch = tempfile.TemporaryDirectory()
model_path = build.build(Path(scratch.name) / "model", recipe, progress=lambda *_: None)

# %% [markdown]
# ## What it answers, and what is thought of it
#
# Answers differ in manner: how many courtesies they have, and how many facts. Row against column, how often each manner is preferred:

# %%
tokenizer = AutoTokenizer.from_pretrained(model_path)
start = AutoModelForCausalLM.from_pretrained(model_path)
prompts = [json.loads(line) for line in Path("../examples/prompts/train.jsonl").read_text().splitlines()]
question = prompts[0]["prompt"]
manners = voters.manner_game()
fig, ax = plt.subplots(figsize=(7.2, 5.4), layout="constrained")
mg.plots.plot_payoffs(manners, ax=ax);

# %%
equilibrium = mg.nash(manners)
print(equilibrium)

# %% [markdown]
# ## Three runs
#
# Every rollout draws sixteen answers to each of eight prompts, has them judged against each other, and fits the policy to the exact step in four gradient
# steps. The runs are short, so that the notebook is; `examples/self_play.yaml` is a longer one, with adapters, that a preflight has played on tables
# first.

# %%
ROLLOUTS, REFRESH, STRENGTH = 48, 16, 0.02
SETTINGS = dict(step_size=8.0, group_size=16, inner_steps=4, learning_rate=2e-3, lr_scheduler_type="linear", reset_optimizer_at_refresh=False)
SETTINGS |= dict(per_device_train_batch_size=8, max_new_tokens=24, max_steps=4 * ROLLOUTS)
RUNS = {
    "no magnet": dict(magnet_strength=0.0),
    "fixed magnet": dict(magnet_strength=STRENGTH, refresh_every=0),
    "moving magnet": dict(magnet_strength=STRENGTH, refresh_every=REFRESH),
}
watched = [row["prompt"] for row in prompts[::8]]
games = [voters.game(prompt) for prompt in watched]
encoded = [[tokenizer(answer)["input_ids"] + [tokenizer.eos_token_id] for answer in grammar.completions(prompt)] for prompt in watched]


def policies(model):
    """The model's policy on the listed answers to each watched prompt, as logarithms."""
    return [enumerated_log_policy(model, tokenizer(prompt)["input_ids"], answers).log_policy for prompt, answers in zip(watched, encoded, strict=True)]


class Watch(TrainerCallback):
    """Keeps the policies of every fourth rollout."""

    def __init__(self, model):
        self.rollouts, self.policies = [0], [policies(model)]

    def on_step_end(self, args, state, control, model=None, **kwargs):
        if state.global_step % (4 * args.inner_steps) == 0:
            self.rollouts.append(state.global_step // args.inner_steps)
            self.policies.append(policies(model))


def train(**settings):
    """Train a copy of the model; the model and what was watched."""
    model = copy.deepcopy(start)
    watch = Watch(model)
    with tempfile.TemporaryDirectory() as folder:
        config = MagneticPreferenceConfig(
            output_dir=folder, use_cpu=True, report_to="none", disable_tqdm=True, save_strategy="no", logging_steps=10_000, measure_every=0, **SETTINGS, **settings
        )
        trainer = MagneticPreferenceTrainer(model, voters.preference_model(), config, prompts, processing_class=tokenizer, callbacks=[watch])
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return model, watch


trained = {name: train(**settings) for name, settings in RUNS.items()}

# %% [markdown]
# ## The gap
#
# The exact duality gap of the language model's policy, mean over the watched prompts. Where a fixed magnet must stop is known before the run:
# `mg.regularised_equilibrium` computes it from what the model answers at the start.


# %%
def gaps(watch):
    """Mean duality gap at each rollout that was watched."""
    return np.array([np.mean([float(game.gap_of_payoffs(game.payoffs(np.exp(logs)))) for game, logs in zip(games, each, strict=True)]) for each in watch.policies])


series = {name: gaps(watch) for name, (_, watch) in trained.items()}
before = trained["no magnet"][1].policies[0]
rests = [mg.regularised_equilibrium(game, magnet_strength=STRENGTH, log_magnet=logs) for game, logs in zip(games, before, strict=True)]
plateau = np.mean([mg.duality_gap(game, rest.policy) for game, rest in zip(games, rests, strict=True)])
fig, ax = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
mg.plots.plot_training(trained["moving magnet"][1].rollouts, series, "Duality gap of the language model", refreshes=range(REFRESH, ROLLOUTS + 1, REFRESH), ax=ax)
ax.axhline(plateau, color="#666666", linestyle=(0, (1, 3)), linewidth=1.6, label="where a fixed magnet rests")
ax.legend(fontsize="small");

# %%
for name, values in series.items():
    print(f"{name:14} gap {values[0]:.3f} at first, {values[-4:].mean():.3f} over the last four measurements")
print(f"a fixed magnet of strength {STRENGTH}, in theory: {plateau:.3f}")

# %% [markdown]
# ## The policy
#
# What the model plays in the end, by manner, beside the equilibrium.

# %%
LOOKS = {"white": "", mg.plots.COLOURS[6]: "///", mg.plots.COLOURS[5]: "...", mg.plots.COLOURS[3]: "xx", "#bbbbbb": "\\\\\\"}
fig, ax = plt.subplots(figsize=(11, 4.2), layout="constrained")
bars = {"before": voters.manner_policy(question, np.exp(before[0]))}
bars |= {name: voters.manner_policy(question, np.exp(watch.policies[-1][0])) for name, (_, watch) in trained.items()}
bars |= {"equilibrium": equilibrium.policy}
for index, ((name, shares), (colour, hatch)) in enumerate(zip(bars.items(), LOOKS.items(), strict=True)):
    ax.bar(np.arange(9) + 0.16 * (index - 2), shares, 0.16, label=name, color=colour, hatch=hatch, edgecolor="black", linewidth=0.5)
ax.set_xticks(range(9), manners.labels[0], rotation=20, ha="right")
ax.set(xlabel="manner", ylabel="probability", title=question.strip())
ax.legend(fontsize="small");

# %% [markdown]
# ## Answers before and after
#
# To a question that was in no text the model was trained on, before or after.


# %%
def answers(model, prompt, count=3):
    """Some answers."""
    torch.manual_seed(0)
    tokens = torch.tensor([tokenizer(prompt)["input_ids"]])
    drawn = model.generate(tokens, do_sample=True, top_k=0, max_new_tokens=40, num_return_sequences=count, pad_token_id=tokenizer.pad_token_id)
    return [tokenizer.decode(row[tokens.shape[1] :], skip_special_tokens=True).strip() for row in drawn]


unseen = grammar.text_prompt(grammar.held_out_questions()[0])
print(unseen.strip())
for name, model in {"before": start, **{name: model for name, (model, _) in trained.items()}}.items():
    print(f"\n{name}")
    for answer in answers(model, unseen):
        print("  ", answer)

# %% [markdown]
# ## The judge of the tables
#
# A run of a language model over answers that can be listed is a run like any other, and `mg.verify` judges it unchanged. Groups of sixteen are noisy and
# the runs are short, and the judge calls none of them converged: two are too short to tell, and the gap of the third was still falling. How low the noise
# lets a gap come is what the preflight foretells.

# %%
for name, (_, watch) in trained.items():
    trace = trace_from_checkpoints(games[0], np.array([each[0] for each in watch.policies]), watch.rollouts)
    report = mg.verify(trace)
    print(f"{name:14} gap {trace.gaps[0]:.3f} → {trace.gap:.3f}. {report.verdict.value.upper()}: {report.headline.sentence}")
scratch.cleanup()

# %% [markdown]
# ## What we saw
#
# The order is that of the tables: without a magnet the gap ended above where it began, with a fixed one below that, with a moving one lowest, and below
# the gap at which a fixed magnet must rest. The judge, rightly, calls none of the three runs converged: they are short and noisy. The rule carries over
# to networks and samples; the proof does not.
#
# Next: [06_a_real_leaderboard](06_a_real_leaderboard.ipynb), where nobody can list the votes, and there are only battles.
