"""One judgement for all processes: groups are gathered, judged together by the first process, and every process gets its own back."""

from __future__ import annotations

from typing import Any

from accelerate.utils import broadcast_object_list, gather_object
from torch import Tensor

from mmd_games.llm.preference import PreferenceModel, check_preferences, name_of


def judge_groups(
    accelerator: Any,
    preference_model: PreferenceModel,
    prompts: list[Any],
    completions: list[list[str]],
    *,
    mask: Tensor | None = None,
    may_be_silent: bool = False,
) -> Tensor:
    """Win probabilities within the groups of this process: (B, K, K), on the CPU.

    The preference model is called once, by the main process, with the groups of all processes in the order of their prompts: so an endpoint has one budget
    and one cache, and a group is never cut in two. Processes may have different numbers of groups, or none.

    Parameters
    ----------
    mask : tensor (K, K) of bool, optional
        Which pairs of a group are wanted.
    may_be_silent : bool
        Whether no judgement at all is an answer too.

    Raises
    ------
    InputError
        When the preference model breaks its protocol; this and every error of its own is raised on all processes alike.
    """
    every = list(zip(prompts, completions, strict=True))
    counts = [len(every)]
    if accelerator.num_processes > 1:
        every, counts = gather_object(every), gather_object(counts)
    outcome: list[Any] = [None, None]
    if accelerator.is_main_process:
        try:
            asked = [prompt for prompt, _ in every], [group for _, group in every]
            table = preference_model(*asked) if mask is None else preference_model(*asked, mask)
            antisymmetric = bool(getattr(preference_model, "antisymmetric", False))
            outcome[0] = check_preferences(
                table, len(every), len(every[0][1]), name_of(preference_model), antisymmetric=antisymmetric, may_be_silent=may_be_silent
            )
        except Exception as error:
            outcome[1] = error  # the others wait for an answer, and this is one
    if accelerator.num_processes > 1:
        broadcast_object_list(outcome)
    if outcome[1] is not None:
        raise outcome[1]
    first = sum(counts[: accelerator.process_index])
    return outcome[0][first : first + len(prompts)]
