"""``consortia audit``: the journal of a node, evidence packs, and verifying them.

A verb is a module of this package with ``command`` and EXAMPLES; adding one is an import and one line in VERBS.
"""

import typer

from consortia.cli.audit import compare, export, heads, log, new_log, subject, verify
from consortia.cli.output import examples

VERBS = {
    "log": log,
    "export": export,
    "verify": verify,
    "compare": compare,
    "subject": subject,
    "heads": heads,
    "new-log": new_log,
}

app = typer.Typer(
    help="Evidence: what a node's journal holds, packs of single sessions, and verifying them offline.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
for _name, _verb in VERBS.items():
    app.command(_name, epilog=examples(*_verb.EXAMPLES))(_verb.command)
