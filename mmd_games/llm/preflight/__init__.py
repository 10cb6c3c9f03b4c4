"""The preflight: a training run's settings, played on tables and tried on the model, before a GPU-hour is spent."""

from mmd_games.llm.preflight.forecast import Forecast as Forecast
from mmd_games.llm.preflight.forecast import Table as Table
from mmd_games.llm.preflight.front import preflight as preflight
from mmd_games.llm.preflight.probing import Probe as Probe
from mmd_games.llm.preflight.probing import probe as probe
from mmd_games.llm.preflight.report import PreflightReport as PreflightReport
from mmd_games.llm.preflight.settings import RunSettings as RunSettings
from mmd_games.llm.preflight.subject import Subject as Subject
from mmd_games.llm.preflight.words import Outlook as Outlook
