"""What theory predicts of a run near its limit, before it is run, and what the run shows of it."""

from mmd_games.verification.predicted.checking import check_rate as check_rate
from mmd_games.verification.predicted.checking import prediction_for as prediction_for
from mmd_games.verification.predicted.comparison import Comparison as Comparison
from mmd_games.verification.predicted.comparison import compare as compare
from mmd_games.verification.predicted.local_rates import predict_rate as predict_rate
from mmd_games.verification.predicted.prediction import RatePrediction as RatePrediction
