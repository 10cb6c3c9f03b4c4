"""Training: rollouts of the present policy, judged in groups, and the exact magnetic step as what the policy is fitted to."""

from mmd_games.llm.training.config import MagneticPreferenceConfig as MagneticPreferenceConfig
from mmd_games.llm.training.config import config_from as config_from
from mmd_games.llm.training.trainer import MagneticPreferenceTrainer as MagneticPreferenceTrainer
