"""The published JSON schema of the language, and the table of its fields for the reference page.

Both are made from the model; ``python docs/generate.py`` writes ``policy.schema.json`` and the table in ``policy.md``
(docs/reference), and a test compares them.
"""

import json
from itertools import takewhile
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from consortia.policies.language.enforcement import TREATMENTS, Enforced, OffOnly, Tested, model_fields
from consortia.policies.language.model import Policy
from consortia.policies.language.values import Section, sections_in

DRAFT = "https://json-schema.org/draft/2020-12/schema"
TABLE_HEAD = "| field | if not written | what becomes of it |\n"


def schema_text() -> str:
    """The JSON schema: keys, types, words and ranges of every field, for editors that complete and check while typing.

    It can't say what fields mean together (dates, the operations of a class) nor what is enforced: lint does.
    """
    schema: dict[str, Any] = {"$schema": DRAFT, **Policy.model_json_schema(by_alias=True)}
    _without_null(schema)
    return json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _without_null(node: Any) -> None:
    """Take away the alternative `null` of fields that may be left out: a policy's file can't hold it."""
    if isinstance(node, list):
        for entry in node:
            _without_null(entry)
    elif isinstance(node, dict):
        kinds = [entry for entry in node.get("anyOf", ()) if entry != {"type": "null"}]
        if len(kinds) == 1:
            del node["anyOf"], node["default"]
            node.update(kinds[0])
        for entry in node.values():
            _without_null(entry)


def with_field_table(page: str) -> str:
    """The reference page with the table of all fields as the language has it now."""
    lines = page.splitlines(keepends=True)
    begin = lines.index(TABLE_HEAD)
    rows = takewhile(lambda line: line.startswith("|"), lines[begin:])
    return "".join((*lines[:begin], field_table(), *lines[begin + len(list(rows)) :]))


def field_table() -> str:
    """A Markdown table of all fields: path, default, and what becomes of it."""
    lines = [TABLE_HEAD.rstrip(), "|---|---|---|"]
    for path in model_fields():
        treatment = TREATMENTS.get(path)
        if treatment is None:
            continue  # inside a section that is accepted only as off
        match treatment:
            case Enforced(rule=rule):
                said = f"enforced (`{rule}`)"
            case OffOnly(rule=rule, words=words, accepted=accepted):
                said = f"**only `{accepted[0]}` is accepted** (`{rule}`: {words})"
            case Tested():
                said = "decided by `policy test`; grants and forbids nothing"
            case _:
                said = "stated; printed by `explain`"
        lines.append(f"| `{path}` | {_default(path)} | {said} |")
    return "\n".join(lines) + "\n"


def _default(path: str) -> str:
    field = _field(path)
    if field.is_required():
        return "must be written"
    value = field.get_default()
    if isinstance(value, BaseModel):
        return "in effect: " + ", ".join(f"{key} {entry}" for key, entry in value.model_dump(by_alias=True).items())
    if isinstance(value, tuple):
        return "nobody, nothing"
    return f"`{value}`"


def _field(path: str) -> FieldInfo:
    """The field of ``path``: of alternatives, the section that has it."""
    models: list[type[Section]] = [Policy]
    found: FieldInfo | None = None
    for part in path.split("."):
        if part == "*":
            continue
        for model in models:
            matching = [info for name, info in model.model_fields.items() if (info.alias or name) == part]
            if matching:
                found = matching[0]
                models = sections_in(found.annotation)
                break
    if found is None:
        raise KeyError(path)
    return found
