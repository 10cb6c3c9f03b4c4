"""The loop: a game and an algorithm in, a trace out."""

from mmd_games.loop.feedback import Exact as Exact
from mmd_games.loop.perturbed import Corrupted as Corrupted
from mmd_games.loop.perturbed import Noisy as Noisy
from mmd_games.loop.perturbed import gap_difference_bound as gap_difference_bound
from mmd_games.loop.progress import StderrProgress as StderrProgress
from mmd_games.loop.recording import Record as Record
from mmd_games.loop.solve import DEFAULT_STEPS as DEFAULT_STEPS
from mmd_games.loop.solve import solve as solve
from mmd_games.loop.solve import solve_many as solve_many
from mmd_games.loop.starts import default_start as default_start
from mmd_games.loop.starts import from_spec as start_from_spec  # noqa: F401
from mmd_games.loop.starts import random_start as random_start
from mmd_games.loop.told import feedback_from as feedback_from
from mmd_games.loop.trace import Stages as Stages
from mmd_games.loop.trace import Trace as Trace
from mmd_games.loop.votes import CorruptedVotes as CorruptedVotes
from mmd_games.loop.votes import Sampled as Sampled
