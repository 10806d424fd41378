"""``consortia policy``: read, check and sign what an owner permits.

A verb is a module of this package with ``command`` and EXAMPLES; adding one is an import and one line in VERBS.
"""

import typer

from consortia.cli.output import examples
from consortia.cli.policy import (
    accept,
    amend,
    approve,
    diff,
    explain,
    fmt,
    lint,
    new,
    revoke,
    schema,
    show,
    simulate,
    status,
    test,
)

VERBS = {
    "new": new,
    "fmt": fmt,
    "lint": lint,
    "test": test,
    "explain": explain,
    "diff": diff,
    "simulate": simulate,
    "approve": approve,
    "show": show,
    "status": status,
    "amend": amend,
    "accept": accept,
    "schema": schema,
    "revoke": revoke,
}

app = typer.Typer(
    help="Policies: what an owner permits, signed by two of its officers.", no_args_is_help=True, rich_markup_mode=None
)
for _name, _verb in VERBS.items():
    app.command(_name, epilog=examples(*_verb.EXAMPLES))(_verb.command)
