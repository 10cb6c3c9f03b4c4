"""Preferences that a Python function says: of a pair directly, or by voters who each score a completion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from torch import Tensor

from mmd_games.errors import InputError
from mmd_games.llm.preference.protocol import Mask, Prompt, as_number, group_shape, is_probability, judged_table, name_of, wanted_pairs


class FunctionPreference:
    """A preference that a function of a prompt and two completions returns.

    Parameters
    ----------
    function : callable (prompt, first, second) -> float
        The probability that the first completion is preferred to the second; `None` or NaN where it cannot judge. Called once for each wanted pair.
    antisymmetric : bool
        Call it for one order of each pair alone, and take 1 − P for the other; by default it is asked both.
    name : str, optional
        What messages call it.

    Attributes
    ----------
    calls : int
        Calls of the function so far.
    failures : Counter
        How many judgements failed, by reason.

    Examples
    --------
    >>> shorter = FunctionPreference(lambda prompt, first, second: float(len(first) < len(second)), antisymmetric=True)
    >>> shorter(["Say it."], [["yes", "certainly"]]).tolist()
    [[[0.5, 1.0], [0.0, 0.5]]]
    """

    def __init__(self, function: Callable[[Prompt, str, str], float | None], *, antisymmetric: bool = False, name: str | None = None):
        if not callable(function):
            raise InputError(f"A preference function takes (prompt, first, second), got {function!r}.")
        self.function = function
        self.antisymmetric = bool(antisymmetric)
        self.name = name or f"function {name_of(function)}"
        self.calls = 0
        self.failures: Counter[str] = Counter()

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Sequence[str]], mask: Mask | None = None) -> Tensor:
        """See :class:`PreferenceModel`.

        Raises
        ------
        InputError
            When the function returns something other than a probability, NaN or `None`.
        """
        groups, size = group_shape(prompts, completions, self.name)
        wanted = wanted_pairs(mask, groups, size, self.name)
        asked = np.triu(wanted | wanted.mT) if self.antisymmetric else wanted
        table = np.full(wanted.shape, np.nan)
        for group, first, second in np.argwhere(asked).tolist():
            answer = self._ask(prompts[group], completions[group], group, first, second)
            table[group, first, second] = answer
            if self.antisymmetric:
                table[group, second, first] = 1 - answer
        return judged_table(table, wanted)

    def _ask(self, prompt: Prompt, texts: Sequence[str], group: int, first: int, second: int) -> float:
        self.calls += 1
        answer = self.function(prompt, texts[first], texts[second])
        number = np.nan if answer is None else as_number(answer)
        if number is None or not (np.isnan(number) or is_probability(number)):
            raise InputError(
                f"{self.name} returned {answer!r} for prompt {group}, completions {first} and {second}: "
                "a probability in [0, 1] was expected, or None where it cannot judge."
            )
        self.failures["no answer"] += int(np.isnan(number))
        return number


class VotersPreference:
    r"""Voters who each score completions by an aspect of their own: :math:`P_{ij} = \sum_v w_v \big([s_v(i) > s_v(j)] + \tfrac12 [s_v(i) = s_v(j)]\big)`.

    Each voter ranks, and yet the majority need not: with voters for brevity, detail and tone, three completions may beat one another in a circle (the paradox of
    Condorcet). No scalar reward has such a preference.

    Parameters
    ----------
    voters : mapping of names to callables, or sequence of callables, (prompt, completion) -> float
        What each voter thinks of a completion; more is better, in any units. NaN or `None` where it cannot say: pairs with that completion are failed judgements.
    weights : sequence of float, optional
        Shares of the voters, positive; they are divided by their sum. By default all are equal.
    name : str, optional
        What messages call them.

    Attributes
    ----------
    calls : int
        Scores asked for so far.
    failures : Counter
        How many judgements of an unordered pair failed, by reason.

    Examples
    --------
    >>> ballots = [{"a": 3, "b": 2, "c": 1}, {"b": 3, "c": 2, "a": 1}, {"c": 3, "a": 2, "b": 1}]
    >>> voters = VotersPreference([lambda prompt, completion, ballot=ballot: ballot[completion] for ballot in ballots])
    >>> voters([""], [["a", "b", "c"]])[0].numpy().round(2).tolist()
    [[0.5, 0.67, 0.33], [0.33, 0.5, 0.67], [0.67, 0.33, 0.5]]
    """

    antisymmetric = True

    def __init__(
        self,
        voters: Mapping[str, Callable[[Prompt, str], float | None]] | Sequence[Callable[[Prompt, str], float | None]],
        weights: Sequence[float] | None = None,
        *,
        name: str = "voters",
    ):
        named = dict(voters) if isinstance(voters, Mapping) else {f"voter {index} ({name_of(voter)})": voter for index, voter in enumerate(voters)}
        if not named or not all(map(callable, named.values())):
            raise InputError(f"{name} need at least one voter, and each a function (prompt, completion) -> score, got {voters!r}.")
        shares = np.ones(len(named)) if weights is None else np.asarray(weights, dtype=object)
        if shares.shape != (len(named),) or not all(0 < (as_number(share) or 0) < np.inf for share in shares):
            raise InputError(f"weights of {name} must be {len(named)} positive numbers, one for each voter, got {weights!r}.")
        self.voters = named
        self.weights = shares.astype(np.float64) / shares.astype(np.float64).sum()
        self.name = name
        self.calls = 0
        self.failures: Counter[str] = Counter()

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Sequence[str]], mask: Mask | None = None) -> Tensor:
        """See :class:`PreferenceModel`.

        Raises
        ------
        InputError
            When a voter returns something other than a number or `None`.
        """
        groups, size = group_shape(prompts, completions, self.name)
        wanted = wanted_pairs(mask, groups, size, self.name)
        scores = np.array([self._scores(prompt, texts) for prompt, texts in zip(prompts, completions, strict=True)])  # (B, V, K)
        ours, theirs = scores[..., :, None], scores[..., None, :]
        lead = (ours > theirs) * 1.0 - (ours < theirs)
        lead[np.isnan(ours) | np.isnan(theirs)] = np.nan
        table = 0.5 + np.einsum("v,bvij->bij", self.weights, lead) / 2
        self.failures["no score"] += int(np.count_nonzero(np.triu((wanted | wanted.mT) & np.isnan(table))))
        return judged_table(np.clip(table, 0, 1), wanted)

    def _scores(self, prompt: Prompt, texts: Sequence[str]) -> list[list[float]]:
        """(V, K): what each voter thinks of each completion."""
        return [[self._score(voter, prompt, text) for text in texts] for voter in self.voters]

    def _score(self, voter: str, prompt: Prompt, text: str) -> float:
        self.calls += 1
        answer = self.voters[voter](prompt, text)
        score = np.nan if answer is None else as_number(answer)
        if score is None:
            raise InputError(
                f"'{voter}' of {self.name} returned {answer!r} for the completion {text[:60]!r}: a number was expected, or None where it cannot say."
            )
        return score
