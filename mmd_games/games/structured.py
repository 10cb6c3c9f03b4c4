"""Games with a structure, and mostly with an equilibrium, that can be written down."""

from __future__ import annotations

import numpy as np

from mmd_games.errors import InputError, require_positive, require_whole
from mmd_games.games.matrix import MatrixGame
from mmd_games.games.openspiel import openspiel_game
from mmd_games.games.preference import PreferenceGame
from mmd_games.games.tables import require_probability, require_table_memory, spec_name


def rock_paper_scissors(wins: tuple[float, ...] = (0.9, 0.8, 0.9)) -> PreferenceGame:
    """Rock, scissors, paper with three unequal wins; the equilibrium is known.

    With a, b, c = 2·wins − 1, all of one sign, the only equilibrium is proportional to (c, b, a) over (rock, scissors, paper).

    Parameters
    ----------
    wins : tuple of 3 float
        Probabilities that rock beats scissors, that paper beats rock, and that scissors beat paper.

    Returns
    -------
    PreferenceGame
        3 × 3, win probabilities.

    Raises
    ------
    InputError
        When there are not three numbers in [0, 1].

    Examples
    --------
    >>> rock_paper_scissors().preference.round(12).tolist()
    [[0.5, 0.9, 0.2], [0.1, 0.5, 0.9], [0.8, 0.1, 0.5]]
    """
    name = spec_name("rock_paper_scissors", wins=tuple(wins))
    return PreferenceGame(_unequal_cycle(wins), labels=("rock", "scissors", "paper"), name=name)


def comal() -> PreferenceGame:
    """The 3 × 3 game that COMAL uses: a cycle of a, b, c with P[b>a] = P[c>b] = 0.9 and P[a>c] = 0.8.

    The equilibrium is (4, 3, 4)/11.

    References
    ----------
    Liu et al., COMAL: A Convergent Meta-Algorithm for Aligning LLMs with General Preferences, arXiv 2410.23223.
    """
    return PreferenceGame([[0.5, 0.1, 0.8], [0.9, 0.5, 0.1], [0.2, 0.9, 0.5]], labels=("a", "b", "c"), name="comal")


def clones(wins: tuple[float, ...] = (0.9, 0.8, 0.9), copies: int = 2) -> PreferenceGame:
    """Unequal rock, scissors, paper with every action `copies` times: a continuum of equilibria.

    A policy is an equilibrium exactly when the copies of each action together have the action's probability in `rock_paper_scissors`, so
    the equilibria have 3·(copies − 1) dimensions and the one of maximum entropy treats copies alike.

    Parameters
    ----------
    wins : tuple of 3 float
        As in `rock_paper_scissors`.
    copies : int
        At least 1.

    Returns
    -------
    PreferenceGame
        3·copies actions, win probabilities; the copies of an action stand together.
    """
    require_whole(1, copies=copies)
    name = spec_name("clones", wins=tuple(wins), copies=copies)
    require_table_memory(3 * copies, 3 * copies, name)
    preference = np.kron(_unequal_cycle(wins), np.ones((copies, copies)))
    labels = [f"{action} {copy}" for action in ("rock", "scissors", "paper") for copy in range(1, copies + 1)]
    return PreferenceGame(preference, labels=labels, name=name)


def _unequal_cycle(wins: tuple[float, ...]) -> np.ndarray:
    if len(wins) != 3:
        raise InputError(f"wins must be three probabilities, as in 0.9/0.8/0.9, got {len(wins)}.")
    first, second, third = wins
    require_probability(**{"the first of wins": first, "the second of wins": second, "the third of wins": third})
    return np.array([[0.5, first, 1 - second], [1 - first, 0.5, third], [second, 1 - third, 0.5]])


def cycle(n: int = 5, win: float = 1.0) -> PreferenceGame:
    """A ring: each action beats the next one, and ties with all others.

    The uniform policy is an equilibrium; it is the only one for odd n, while for even n the even and the odd places can be weighted apart.

    Parameters
    ----------
    n : int
        Number of actions, at least 3.
    win : float
        Probability of beating the next action, in [0, 1].

    Returns
    -------
    PreferenceGame
        n × n, win probabilities.
    """
    require_whole(3, n=n)
    require_probability(win=win)
    name = spec_name("cycle", n=n, win=win)
    require_table_memory(n, n, name)
    return PreferenceGame(_circulant(n, 1, win), name=name)


def generalised_rps(n: int = 5, win: float = 1.0) -> PreferenceGame:
    """Rock-paper-scissors with any odd number of actions: each beats the next (n − 1)/2 on a ring, and loses to the others.

    The uniform policy is the only equilibrium, unless win is 1/2.

    Parameters
    ----------
    n : int
        Number of actions, odd, at least 3.
    win : float
        Probability of winning where an action beats another, in [0, 1].

    Returns
    -------
    PreferenceGame
        n × n, win probabilities.
    """
    require_whole(3, n=n)
    require_probability(win=win)
    if n % 2 == 0:
        raise InputError(f"n of generalised_rps must be odd, so that each action beats as many as it loses to; got {n}.")
    name = spec_name("generalised_rps", n=n, win=win)
    require_table_memory(n, n, name)
    return PreferenceGame(_circulant(n, (n - 1) // 2, win), name=name)


def _circulant(n: int, reach: int, win: float) -> np.ndarray:
    """Win probabilities on a ring of n: `win` against the next `reach` places, its complement against the previous, 1/2 elsewhere."""
    row = np.full(n, 0.5)
    row[1 : reach + 1] = win
    row[n - reach :] = 1 - win
    return row[(np.arange(n) - np.arange(n)[:, None]) % n]


def conditioned_cycle(condition: float = 10.0) -> PreferenceGame:
    r"""Five actions on a ring whose two modes turn at speeds of an exact ratio: how ill-conditioned a game is, set by hand.

    Each action beats the next one and the one after it by a and by b. At the only equilibrium, the uniform policy, the modes are :math:`\omega_k = \tfrac{2}{5}\,|a \sin(2\pi k/5) +
    b \sin(4\pi k/5)|`, k = 1, 2; a and b are such that their ratio is `condition` and that the larger of the two wins is certain. With three actions there is one mode, and no choice.

    Parameters
    ----------
    condition : float
        :math:`\kappa = \omega_{\max}/\omega_{\min}`, at least 1.

    Returns
    -------
    PreferenceGame
        5 × 5, win probabilities.

    Examples
    --------
    >>> conditioned_cycle(condition=1.0).preference[0].round(4).tolist()
    [0.5, 1.0, 0.382, 0.618, 0.0]
    """
    require_positive(condition=condition)
    if condition < 1:
        raise InputError(f"condition is the ratio of the faster mode to the slower one, at least 1; got {condition!r}.")
    first, second = np.sin(2 * np.pi / 5), np.sin(4 * np.pi / 5)
    beats = np.array([condition * first + second, condition * second - first])
    beats *= 0.5 / np.max(np.abs(beats))
    row = np.array([0.0, *beats, *-beats[::-1]])
    skew = np.array([np.roll(row, shift) for shift in range(5)])
    return PreferenceGame(skew + 0.5, name=spec_name("conditioned_cycle", condition=condition))


def spinning_top(layers: int = 7, width: int = 9, steepness: float = 1.0, win: float = 0.9) -> PreferenceGame:
    r"""A tower of rock-paper-scissors rings, wide in the middle and narrow at both ends, in the shape of a spinning top.

    Real games are said to look like spinning tops: transitive strength is the upright axis, and the cycles at one strength are the
    radius. This construction imitates that shape and is not taken from the paper: layer h, of odd size growing from 3 at the bottom to
    `width` in the middle and shrinking to 3 at the top, is a `generalised_rps` with `win`; an action of layer g beats one of layer h with
    probability :math:`1 / (1 + e^{-steepness (g - h)})`. The only equilibrium (unless win is 1/2) is uniform over the three actions of the top layer.

    Parameters
    ----------
    layers : int
        At least 3.
    width : int
        Actions in the widest layer, odd, at least 3.
    steepness : float
        Log-odds of a win against the layer below, positive.
    win : float
        Probability of winning within a layer, in [0, 1].

    Returns
    -------
    PreferenceGame
        Win probabilities; actions are labelled "layer.place", from the bottom up.

    References
    ----------
    Czarnecki et al., Real World Games Look Like Spinning Tops, arXiv 2004.09468 (the shape only).
    """
    require_whole(3, layers=layers)
    require_whole(3, width=width)
    require_positive(steepness=steepness)
    require_probability(win=win)
    if width % 2 == 0:
        raise InputError(f"width of spinning_top must be odd, as each layer is a generalised rock-paper-scissors; got {width}.")
    name = spec_name("spinning_top", layers=layers, width=width, steepness=steepness, win=win)
    # Every layer has at least 3 actions: a lower bound that refuses a tower of billions before its layers are listed.
    require_table_memory(3 * layers, 3 * layers, name)
    profile = np.sin(np.pi * np.arange(layers) / (layers - 1))
    sizes = 3 + 2 * np.rint((width - 3) / 2 * profile / np.max(profile)).astype(int)
    n = int(np.sum(sizes))
    require_table_memory(n, n, name)
    height = np.repeat(np.arange(layers), sizes)
    # tanh(x/2)/2 is the logistic function less 1/2, without overflow.
    preference = 0.5 + np.tanh(steepness * (height[:, None] - height) / 2) / 2
    start = 0
    for size in sizes:
        preference[start : start + size, start : start + size] = _circulant(size, (size - 1) // 2, win)
        start += size
    labels = [f"{layer + 1}.{place + 1}" for layer, size in enumerate(sizes) for place in range(size)]
    return PreferenceGame(preference, labels=labels, name=name)


def a_delta(delta: float = 0.1) -> MatrixGame:
    r"""The 2 × 2 game that keeps optimistic methods waiting: payoffs [[1/2 + δ, 1/2], [0, 1]].

    The only equilibrium is x = (1, δ)/(1 + δ), y = (1, 1 + 2δ)/(2(1 + δ)), with value (1 + 2δ)/(2(1 + δ)): as δ falls it nears the edge
    of the simplex, and a method that does not forget the past stays away from it for about 1/δ steps. The matrix is recalled from the paper, not
    copied from its text. Here the row player receives the entries; with the signs reversed the equilibrium is the same.

    Parameters
    ----------
    delta : float
        Positive.

    Returns
    -------
    MatrixGame
        2 × 2, payoffs.

    References
    ----------
    Cai et al., Fast Last-Iterate Convergence of Learning in Games Requires Forgetful Algorithms, arXiv 2406.10631.
    """
    require_positive(delta=delta)
    return MatrixGame([[0.5 + delta, 0.5], [0.0, 1.0]], name=spec_name("a_delta", delta=delta))


def matching_pennies() -> MatrixGame:
    """Heads or tails: the row player wins 1 if both show the same side, and loses 1 otherwise; both play (1/2, 1/2)."""
    sides = ("heads", "tails")
    return MatrixGame([[1.0, -1.0], [-1.0, 1.0]], row_labels=sides, column_labels=sides, name="matching_pennies")


def kuhn_poker() -> MatrixGame:
    """Kuhn's three-card poker in its normal form, 64 × 64 pure strategies, with value −1/18 for the first player.

    Built by OpenSpiel, which must be installed.

    References
    ----------
    Kuhn, A simplified two-person poker, Contributions to the Theory of Games I, 1950.
    """
    game = openspiel_game("kuhn_poker")
    game.name = "kuhn_poker"
    return game
