"""`predict`: how fast theory says that a method comes to its limit, before it is run."""

import json
from typing import Annotated

from cyclopts import Parameter

from mmd_games import algorithms
from mmd_games.cli.app import AsJson, Payoffs, Source, Symmetrise, app
from mmd_games.cli.playing import game_from
from mmd_games.report import plain
from mmd_games.verification.predicted import predict_rate

STATUS = {"linear": 0, "diverges": 1}
"""The exit status by the kind of a prediction; 3 where theory is silent, or where nothing moves."""


@app.command
def predict(
    source: Source,
    /,
    *,
    algorithm: Annotated[str, Parameter(help="mpo, mwu, omwu, …, with settings as name:key=value.")] = "mpo",
    payoffs: Payoffs = False,
    symmetrise: Symmetrise = False,
    as_json: AsJson = False,
) -> int:
    """Predict the rate of an algorithm near its limit, from the game alone: linear (0), diverges (1), stands still or no prediction (3)."""
    method = algorithms.from_spec(algorithm)
    prediction = predict_rate(game_from(source, payoffs, symmetrise), method)
    print(json.dumps(plain(prediction.to_dict()), indent=1, allow_nan=False) if as_json else prediction)
    return STATUS.get(prediction.kind, 3)
