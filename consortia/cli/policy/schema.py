"""``consortia policy schema``: the JSON schema of the language."""

import json as json_format

from consortia.cli.output import JsonOption, emit
from consortia.policies.language.schema import schema_text

EXAMPLES = (
    "consortia policy schema > policy.schema.json",
    "consortia policy schema --json",
)


def command(json: JsonOption = False) -> None:
    """Print the JSON schema of policies, by which editors complete and check a file while you type.

    It knows keys, types, words and ranges; `lint` also knows what they mean together and what is enforced.
    """
    text = schema_text()
    emit(json_format.loads(text), text.rstrip("\n"), json=json)
