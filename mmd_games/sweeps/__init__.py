"""Suites: games × algorithms, or games × solvers, × seeds; every cell is a row, and a finished one is never lost."""

from mmd_games.sweeps.algorithm_result import SweepResult as SweepResult
from mmd_games.sweeps.algorithm_suite import Suite as Suite
from mmd_games.sweeps.reference_result import ReferenceResult as ReferenceResult
from mmd_games.sweeps.reference_suite import ReferenceSuite as ReferenceSuite
from mmd_games.sweeps.results import read_result as read_result
from mmd_games.sweeps.results import write_result as write_result
from mmd_games.sweeps.running import run_suite as run_suite
from mmd_games.sweeps.suite_file import read_suite as read_suite
