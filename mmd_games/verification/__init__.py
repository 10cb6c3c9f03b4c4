"""The judge. It recomputes all that it judges from the game and the recorded policies, and trusts nothing an algorithm says of its success."""

from mmd_games.verification.claims import default_tolerance as default_tolerance
from mmd_games.verification.judging import Judgement as Judgement
from mmd_games.verification.judging import judge as judge
from mmd_games.verification.measured import Convergence as Convergence
from mmd_games.verification.measured import Kind as Kind
from mmd_games.verification.measured import classify_convergence as classify_convergence
from mmd_games.verification.predicted import RatePrediction as RatePrediction
from mmd_games.verification.predicted import predict_rate as predict_rate
from mmd_games.verification.verdicts import Claim as Claim
from mmd_games.verification.verdicts import Headline as Headline
from mmd_games.verification.verdicts import Question as Question
from mmd_games.verification.verdicts import Verdict as Verdict
