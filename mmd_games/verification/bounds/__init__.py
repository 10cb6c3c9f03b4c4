"""What theory guarantees at every recorded step, checked as hard inequalities and told from rounding by error bounds."""

from mmd_games.verification.bounds.all_bounds import check_bounds as check_bounds
from mmd_games.verification.bounds.contraction import check_contraction as check_contraction
from mmd_games.verification.bounds.fejer import check_fejer as check_fejer
from mmd_games.verification.bounds.plateau import check_plateau as check_plateau
from mmd_games.verification.bounds.record import check_record as check_record
from mmd_games.verification.bounds.regularised_gap import check_regularised_gap as check_regularised_gap
from mmd_games.verification.bounds.rounding import gap_rounding as gap_rounding
from mmd_games.verification.bounds.rounding import payoff_rounding as payoff_rounding
from mmd_games.verification.bounds.rule import check_rule as check_rule
