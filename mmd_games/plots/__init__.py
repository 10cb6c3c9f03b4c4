"""Every figure, from traces and games: `ax=None` in, Axes out.

Methods differ by colour (Okabe and Ito's palette, safe for colour-blind readers), by dash and by marker, so a grey print tells them apart as well.
"""

from mmd_games.plots.lotteries import plot_lottery as plot_lottery
from mmd_games.plots.payoffs import plot_payoffs as plot_payoffs
from mmd_games.plots.profiles import plot_profile as plot_profile
from mmd_games.plots.runs import Slope as Slope
from mmd_games.plots.runs import plot_gaps as plot_gaps
from mmd_games.plots.runs import plot_policies as plot_policies
from mmd_games.plots.runs import plot_simplex as plot_simplex
from mmd_games.plots.style import COLOURS as COLOURS
from mmd_games.plots.style import DASHES as DASHES
from mmd_games.plots.style import FORMATS as FORMATS
from mmd_games.plots.style import MARKERS as MARKERS
from mmd_games.plots.style import save as save
from mmd_games.plots.style import to_svg as to_svg
from mmd_games.plots.suites import plot_suite as plot_suite
from mmd_games.plots.training import plot_training as plot_training
