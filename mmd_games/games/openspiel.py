"""Games of OpenSpiel: matrix games as they are, small games of several moves by their normal form."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from mmd_games.errors import InputError, unknown
from mmd_games.games.matrix import MatrixGame
from mmd_games.games.tables import require_table_memory

NODE_LIMIT = 50_000
ENTRY_LIMIT = 10_000_000
"""Most nodes of a game tree walked, and most entries of a normal form built."""

Sequence = frozenset[tuple[str, int]]
"""The choices of one player on the way to a node: (information state, action)."""


def openspiel_game(spec: str) -> MatrixGame:
    """A two-player zero-sum game of OpenSpiel, by its own name and parameters.

    A game of one simultaneous move is taken as it is. Any other is turned into its normal form: a pure strategy chooses an action at every
    information state of a player, reachable or not under its own other choices, and the payoffs are expectations over chance. In a
    constant-sum game the payoffs are the first player's utilities.

    Parameters
    ----------
    spec : str
        What OpenSpiel's `load_game` takes, as "kuhn_poker" or "goofspiel(num_cards=3,imp_info=true)".

    Returns
    -------
    MatrixGame
        Payoffs; a pure strategy is labelled "state:action state:action …", on one line.

    Raises
    ------
    InputError
        When OpenSpiel is not installed, does not know the game or its parameters, or when the game is not one of two players, is not
        zero-sum or constant-sum, samples its chance moves, or is too large.

    References
    ----------
    Lanctot et al., OpenSpiel: A Framework for Reinforcement Learning in Games, arXiv 1908.09453.
    """
    try:
        import pyspiel
    except ImportError:
        raise InputError("Games of OpenSpiel need the package open_spiel: pip install open_spiel.") from None
    short_name = spec.partition("(")[0].strip()
    # Asked for an unknown game, OpenSpiel itself prints its whole list to the terminal.
    if short_name not in pyspiel.registered_names():
        raise unknown("OpenSpiel game", short_name, pyspiel.registered_names())
    try:
        game = pyspiel.load_game(spec)
        name = f"openspiel:{spec}"
        _check_kind(pyspiel, game, name)
        result = _one_shot(pyspiel, game, spec, name) if _is_matrix_game(pyspiel, game) else _normal_form(game, name)
        if game.get_type().utility == pyspiel.GameType.Utility.CONSTANT_SUM:
            result.notes = (f"constant-sum: the two players' utilities add up to {game.utility_sum():g}; the payoffs are the first player's.",)
        return result
    except pyspiel.SpielError as error:
        reason = " ".join(str(error).split()).strip('"').rstrip(".")
        raise InputError(f"OpenSpiel refuses '{spec}': {reason[:300]}.") from None


def _check_kind(pyspiel: Any, game: Any, name: str) -> None:
    kind, types = game.get_type(), pyspiel.GameType
    if game.num_players() != 2:
        raise InputError(f"{name} has {game.num_players()} player{'s' * (game.num_players() != 1)}; only games of two players can be read.")
    if kind.utility not in (types.Utility.ZERO_SUM, types.Utility.CONSTANT_SUM):
        utility = kind.utility.name.lower().replace("_", "-")
        raise InputError(f"{name} is a game of {utility} utilities; only zero-sum and constant-sum games can be read.")
    if kind.chance_mode == types.ChanceMode.SAMPLED_STOCHASTIC:
        raise InputError(f"{name} samples its chance moves, so its expected payoffs are unknown; only games with explicit chances can be read.")
    if kind.dynamics not in (types.Dynamics.SEQUENTIAL, types.Dynamics.SIMULTANEOUS):
        raise InputError(f"{name} is neither a sequential nor a simultaneous game, so it has no normal form of two players.")
    if not kind.provides_information_state_string:
        raise InputError(f"{name} does not say what its players know (no information states), so it has no normal form here.")


def _is_matrix_game(pyspiel: Any, game: Any) -> bool:
    """Whether OpenSpiel can hand the game over as a table: its one-shot games, except those that wrap another game."""
    one_shot = game.get_type().information == pyspiel.GameType.Information.ONE_SHOT
    return isinstance(game, pyspiel.NormalFormGame) or (one_shot and "game" not in game.get_parameters())


def _one_shot(pyspiel: Any, game: Any, spec: str, name: str) -> MatrixGame:
    state = game.new_initial_state()
    _check_size(name, [math.log10(max(1, len(state.legal_actions(player)))) for player in (0, 1)])
    matrix = pyspiel.load_matrix_game(spec)
    rows = [_one_line(matrix.row_action_name(row)) for row in range(matrix.num_rows())]
    columns = [_one_line(matrix.col_action_name(column)) for column in range(matrix.num_cols())]
    return MatrixGame(np.array(matrix.row_utilities()), row_labels=rows, column_labels=columns, name=name)


@dataclass
class _Tree:
    """What a walk of the game tree found."""

    choices: tuple[dict[str, dict[int, str]], dict[str, dict[int, str]]] = field(default_factory=lambda: ({}, {}))
    """Of each player: information state → legal action → its name."""
    outcomes: dict[tuple[Sequence, Sequence], float] = field(default_factory=lambda: defaultdict(float))
    """Both players' sequences → chance × utility of the first player, summed over the ends they lead to."""


def _normal_form(game: Any, name: str) -> MatrixGame:
    tree = _walk(game, name)
    _check_size(name, [sum(math.log10(len(actions)) for actions in choices.values()) for choices in tree.choices])
    counts = [math.prod(len(actions) for actions in choices.values()) for choices in tree.choices]
    require_table_memory(counts[0], counts[1], name)
    row_sequences, column_sequences = (list(dict.fromkeys(pair[player] for pair in tree.outcomes)) for player in (0, 1))
    row_of, column_of = ({sequence: place for place, sequence in enumerate(sequences)} for sequences in (row_sequences, column_sequences))
    payoffs = np.zeros((len(row_sequences), len(column_sequences)))
    for (row, column), payoff in tree.outcomes.items():
        payoffs[row_of[row], column_of[column]] = payoff
    rows, row_labels = _plans(tree.choices[0], row_sequences)
    columns, column_labels = _plans(tree.choices[1], column_sequences)
    return MatrixGame(rows @ payoffs @ columns.T, row_labels=row_labels, column_labels=column_labels, name=name)


def _walk(game: Any, name: str) -> _Tree:
    tree = _Tree()
    waiting: list[tuple[Any, float, tuple[Sequence, Sequence]]] = [(game.new_initial_state(), 1.0, (frozenset(), frozenset()))]
    nodes = 0
    while waiting:
        state, chance, sequences = waiting.pop()
        nodes += 1
        if nodes + len(waiting) > NODE_LIMIT:
            raise InputError(f"{name} has a game tree of more than {NODE_LIMIT:,} nodes; that is too large for its normal form.")
        if state.is_terminal():
            tree.outcomes[sequences] += chance * state.returns()[0]
        elif state.is_chance_node():
            waiting.extend((state.child(action), chance * probability, sequences) for action, probability in state.chance_outcomes())
        else:
            movers = (0, 1) if state.is_simultaneous_node() else (state.current_player(),)
            known = {player: state.information_state_string(player) for player in movers}
            for player in movers:
                legal = state.legal_actions(player)
                tree.choices[player][known[player]] = {action: _one_line(state.action_to_string(player, action)) for action in legal}
            for actions in product(*(tree.choices[player][known[player]] for player in movers)):
                after = state.clone()
                after.apply_actions(list(actions)) if len(movers) == 2 else after.apply_action(actions[0])
                both = list(sequences)
                for player, action in zip(movers, actions, strict=True):
                    both[player] |= {(known[player], action)}
                waiting.append((after, chance, (both[0], both[1])))
    return tree


def _plans(choices: dict[str, dict[int, str]], sequences: list[Sequence]) -> tuple[np.ndarray, list[str]]:
    """Which pure strategies play which sequences, (strategies, sequences) of 0 and 1, and the strategies' labels."""
    states = sorted(choices)
    plans = list(product(*(choices[state] for state in states)))
    taken = np.array(plans, dtype=np.int64).reshape(len(plans), len(states))
    place = {state: column for column, state in enumerate(states)}
    plays = np.ones((len(plans), len(sequences)))
    for column, sequence in enumerate(sequences):
        for state, action in sequence:
            plays[:, column] *= taken[:, place[state]] == action
    # Where there is but one decision, its action alone says it all.
    names = [f"{_one_line(state)}:" for state in states] if len(states) > 1 else [""] * len(states)
    taken_names = ([choices[state][action] for state, action in zip(states, plan, strict=True)] for plan in plans)
    return plays, [" ".join(map("".join, zip(names, plan, strict=True))) or "no choice" for plan in taken_names]


def _check_size(name: str, magnitudes: list[float]) -> None:
    """Refuse a normal form by the logarithms of its numbers of pure strategies, which may themselves be of astronomical length."""
    if sum(magnitudes) > math.log10(ENTRY_LIMIT) + 1e-9:
        rows, columns = (f"{round(10**size):,}" if size < 9 else f"about 10^{size:.0f}" for size in magnitudes)
        raise InputError(f"{name} has {rows} × {columns} pure strategies; at most {ENTRY_LIMIT:,} entries are built.")


def _one_line(text: str) -> str:
    """Compact: on one line, without spaces, which separate the choices of a label."""
    return "_".join(text.split())
