"""`check-certificate`: what a certificate states, checked with integers alone."""

import json
from typing import Annotated

from cyclopts import Parameter

from mmd_games.certificate_check import CertificateError, check_file
from mmd_games.cli.app import AsJson, app
from mmd_games.errors import InputError


@app.command(name="check-certificate")
def check_certificate_command(
    file: Annotated[str, Parameter(help="A certificate, such as `nash GAME --method exact --certificate FILE` writes.")], /, *, as_json: AsJson = False
) -> int:
    """Check every statement of a certificate with Python's integers alone, by code that the solvers do not share: true (0), false or altered (1)."""
    try:
        checked = check_file(file)
    except CertificateError as error:
        raise InputError(str(error)) from None
    print(json.dumps({"holds": checked.holds, "statements": checked.statements, "false": checked.false}, indent=1) if as_json else checked)
    return 0 if checked.holds else 1
