"""One thread, so that runs are the same bit for bit; two depths of search; the published tables where they are at hand."""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = "1"  # before NumPy is imported, which reads them once

from pathlib import Path

import pytest
from hypothesis import Phase, settings

EXAMPLES = 50

settings.register_profile("short", derandomize=True, deadline=None, database=None, print_blob=False, max_examples=EXAMPLES)
settings.register_profile("thorough", settings.get_profile("short"), max_examples=10 * EXAMPLES)
settings.register_profile("unshrunk", settings.get_profile("short"), phases=(Phase.explicit, Phase.generate))  # for mutants, whose failures nobody reads
settings.load_profile("short")  # --hypothesis-profile=thorough, which comes later, overrides it

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def published_tables() -> Path:
    """The folder of published game tables, which are for checking only."""
    if not DATA.is_dir():
        pytest.skip("published tables are not shipped with the project")
    return DATA
