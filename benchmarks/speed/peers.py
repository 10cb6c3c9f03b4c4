"""The peers: Magnetic Mirror Descent as other libraries have it, on the same games with the same settings. All of them play two players; the start and the magnet are uniform.

What a peer needs to build its game is not timed. A peer that is not installed raises ImportError.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.speed.measuring import Contender

FLOOR = 1e-10
"""The least probability of the ssokota/mmd package, which keeps policies as probabilities."""


def sokota_style(matrix: np.ndarray, algorithm: Any, steps: int) -> Contender:
    """The arithmetic of the authors' package ssokota/mmd for normal forms, written anew: probabilities and powers, with a check and a floor at every projection.

    The package has a magnet that follows the policy at a rate; the rate is zero here, and its work is done all the same, as there.
    """
    step_size, strength, magnet_rate = algorithm.step_size, algorithm.magnet_strength, 0.0

    def moved(policy: np.ndarray, magnet: np.ndarray, payoff: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pull = step_size * strength
        towards = policy * np.exp(step_size * payoff) * magnet**pull
        return _onto_simplex(towards ** (1 / (1 + pull))), _onto_simplex(policy**magnet_rate * magnet ** (1 - magnet_rate))

    def play(number: int) -> np.ndarray:
        rows, columns = (np.full(count, 1 / count) for count in matrix.shape)
        row_magnet, column_magnet = rows, columns
        for _ in range(number):
            to_rows, to_columns = matrix.dot(columns), -rows.dot(matrix)
            rows, row_magnet = moved(rows, row_magnet, to_rows)
            columns, column_magnet = moved(columns, column_magnet, to_columns)
        return rows

    return Contender(name="ssokota/mmd style", prepare=lambda: play, steps=steps)


def _onto_simplex(weights: np.ndarray) -> np.ndarray:
    if not np.all((weights > 0) | np.isclose(weights, 0)):
        raise ArithmeticError("A weight is negative.")
    floored = np.maximum(weights, FLOOR)
    return floored / floored.sum()


def open_spiel(matrix: np.ndarray, algorithm: Any, steps: int) -> Contender:
    """OpenSpiel's `mmd_dilated`, which plays turn by turn: the table goes through OpenSpiel's own conversion.

    References
    ----------
    Lanctot et al., OpenSpiel: A Framework for Reinforcement Learning in Games, arXiv 1908.09453.
    """
    import pyspiel
    from open_spiel.python.algorithms.mmd_dilated import MMDDilatedEnt

    game = pyspiel.convert_to_turn_based(pyspiel.create_matrix_game(matrix, -matrix))

    def prepare() -> Any:
        solver = MMDDilatedEnt(game, alpha=algorithm.magnet_strength, stepsize=algorithm.step_size)

        def play(number: int) -> MMDDilatedEnt:
            for _ in range(number):
                solver.update_sequences()
            return solver

        return play

    # The first sequence is the empty one.
    return Contender(name="OpenSpiel mmd_dilated", prepare=prepare, steps=steps, outcome=lambda solver: solver.sequences[0][1:])


def lite_efg(matrix: np.ndarray, algorithm: Any, steps: int) -> Contender:
    """LiteEFG's MMD in C++, on the game that OpenSpiel converts; the payoffs go through a text file of six digits.

    References
    ----------
    Liu, Farina and Ozdaglar, LiteEFG: An Efficient Python Library for Solving Extensive-form Games, arXiv 2407.20351.
    """
    import LiteEFG
    import pyspiel
    from LiteEFG.baselines import MMD

    game = pyspiel.convert_to_turn_based(pyspiel.create_matrix_game(matrix, -matrix))

    def prepare() -> Any:
        # It writes the text file into the home directory, under a name that all tables share.
        with tempfile.TemporaryDirectory() as home, patch.dict(os.environ, HOME=home), contextlib.redirect_stdout(io.StringIO()):
            environment = LiteEFG.OpenSpielEnv(game, regenerate=True)
            graph = MMD.graph(eta=algorithm.step_size, tau=algorithm.magnet_strength, gamma=0.0, regularizer="Entropy")
            environment.set_graph(graph)

        def play(number: int) -> Any:
            for _ in range(number):
                graph.update_graph(environment)
            return environment.get_strategy, graph.current_strategy()

        return play

    def outcome(played: Any) -> np.ndarray:
        strategy, node = played
        return strategy(node)[0].action_probability_array[0]

    return Contender(name="LiteEFG MMD", prepare=prepare, steps=steps, outcome=outcome)
