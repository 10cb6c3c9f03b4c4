"""Who says which of two completions is better: a protocol, its adapters, and what a table of judgements reveals of its judge."""

from mmd_games.llm.preference.diagnostics import Diagnosis, diagnose, symmetrised
from mmd_games.llm.preference.general import GeneralPreference
from mmd_games.llm.preference.judge import JudgePreference
from mmd_games.llm.preference.matrix import MatrixPreference
from mmd_games.llm.preference.pairwise import PairwisePreference
from mmd_games.llm.preference.protocol import Mask, PreferenceModel, Prompt, check_preferences, name_of, prompt_text
from mmd_games.llm.preference.registry import preference_from_config
from mmd_games.llm.preference.reward import RewardPreference
from mmd_games.llm.preference.simple import FunctionPreference, VotersPreference

__all__ = [
    "Diagnosis",
    "FunctionPreference",
    "GeneralPreference",
    "JudgePreference",
    "Mask",
    "MatrixPreference",
    "PairwisePreference",
    "PreferenceModel",
    "Prompt",
    "RewardPreference",
    "VotersPreference",
    "check_preferences",
    "diagnose",
    "name_of",
    "preference_from_config",
    "prompt_text",
    "symmetrised",
]
