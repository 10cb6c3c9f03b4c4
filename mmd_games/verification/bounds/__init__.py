"""What theory guarantees at every recorded step, checked as hard inequalities and told from rounding by error bounds."""

from mmd_games.verification.bounds.inequalities import check_contraction as check_contraction
from mmd_games.verification.bounds.inequalities import check_plateau as check_plateau
from mmd_games.verification.bounds.inequalities import check_record as check_record
from mmd_games.verification.bounds.inequalities import gap_rounding as gap_rounding
