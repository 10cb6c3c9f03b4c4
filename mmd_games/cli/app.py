"""The application with which commands register, and the arguments that several of them share.

Where it can be, the modules of commands do without ``from __future__ import annotations``: as texts cyclopts would evaluate them three times a call.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

import mmd_games
from mmd_games.specs import convert

app = App(
    name="mmd-games",
    help="Does a method's last iterate reach the Nash equilibrium of a preference game, at a linear rate? Run it, verify it, compare it.",
    version=mmd_games.__version__,
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)

Whole = Parameter(converter=lambda _, tokens: convert(tokens[0].value, int, "it"))
"""1e5 is a whole number, 1.5 is none."""


Source = Annotated[
    str, Parameter(help="A table (.npy .npz .csv .tsv .txt .dat .json), or a game by name, such as blotto:soldiers=10,fields=3 or openspiel:kuhn_poker.")
]
Payoffs = Annotated[bool, Parameter(help="Read the table as payoffs, not as win probabilities.", negative="")]
Symmetrise = Annotated[bool, Parameter(help="Repair a table with P + Pᵀ ≠ 1 by averaging each pair, and say by how much.", negative="")]
AsJson = Annotated[bool, Parameter(name="--json", help="Print JSON alone on standard output.", negative="")]
Out = Annotated[Path | None, Parameter(help="Directory for the results.")]
Start = Annotated[
    str | None, Parameter(help="uniform; random:seed=1; 0.2/0.3/0.5; or a file. Default uniform, or random where uniform is an equilibrium already.")
]
Tolerance = Annotated[float | None, Parameter(help="Largest duality gap that counts as an equilibrium, in the game's units; default 1e-8 of its scale L.")]
FEEDBACK = "What the players are told: exact, sampled:opponents=16,seed=0, noisy:scale=0.1,when=once, corrupted:share=0.05 or corrupted_votes:share=0.1."
FeedbackSpec = Annotated[str, Parameter(name="--feedback", help=FEEDBACK)]
