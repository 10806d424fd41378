"""The catalogue as people write it: YAML in, the document that is signed out.

    consortium: aml
    purposes: [aml-detection]
    enums:
      currency: [EUR, USD]                                    append only: a word's place is its code
    key-domains:
      customer: {id-type: customer-number, bits: 96}          key-id comes from `domain-key create`
    tables:
      transactions:
        holders: [bank-a, bank-b, bank-c]
        max-rows: 60000
        canonical: coalesce(from_bank, to_bank) = member()
        columns:
          tx_id: text
          ts: {type: timestamp, lo: 2026-01-01T00:00:00Z, hi: 2026-12-31T23:59:59Z}
          amount: {type: decimal(2), lo: 0.00, hi: 9999.99, unit: currency}
          customer_key: {type: key(customer), max-distinct: 8000, nullable: true}

Every value is read as text and converted strictly, so ``0.00`` is never a float and ``no`` never false. Bounds are
written as a person writes the value and become carried units. int and decimal need bounds; the others may have them.
Pure: text in, document out.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal, cast, get_args

import yaml
from pydantic import ValidationError

from consortia.errors import RequestError
from consortia.plans.catalogue import Catalogue, CatalogueColumn, CatalogueTable, KeyDomain
from consortia.plans.check_catalogue import check_catalogue
from consortia.plans.types import Bounds, ColumnType, Kind

_TYPE = re.compile(r"^([a-z]+)(?:\(([a-z0-9_-]+)\))?$")
_NUMBER = re.compile(r"^-?[0-9]+(_?[0-9]+)*$")
_DECIMAL = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?")
_NULL_DIGEST = "0" * 64
NO_KEY = "00"
"""The id in the place of a key that does not exist yet."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Entry:
    """A node of the file with the way to it, so that every refusal names its line."""

    def __init__(self, node: yaml.Node, path: str) -> None:
        self.node = node
        self.path = path

    def refuse(self, reason: str, remedy: str = "correct the catalogue file") -> RequestError:
        place = f"line {self.node.start_mark.line + 1}" + (f", {self.path}" if self.path else "")
        return RequestError("plans/catalogue-file", reason, place=place, remedy=remedy)

    def text(self) -> str:
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.refuse("one value was expected here")
        return str(self.node.value)

    def texts(self) -> tuple[str, ...]:
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.refuse("a list was expected here")
        return tuple(_Entry(node, f"{self.path}[{index}]").text() for index, node in enumerate(self.node.value))

    def number(self) -> int:
        if not _NUMBER.match(self.text()):
            raise self.refuse(f"`{self.text()}` is not a whole number")
        return int(self.text())

    def truth(self) -> bool:
        if self.text() not in ("true", "false"):
            raise self.refuse(f"`{self.text()}` is neither true nor false")
        return self.text() == "true"

    def entries(self) -> dict[str, "_Entry"]:
        """The entries of a mapping in their order; a name twice is refused."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.refuse("a mapping (name: value) was expected here")
        found: dict[str, _Entry] = {}
        for key, value in self.node.value:
            name = _Entry(key, self.path).text()
            if name in found:
                raise _Entry(key, self.path).refuse(f"`{name}` stands twice")
            found[name] = _Entry(value, f"{self.path}.{name}".lstrip("."))
        return found

    def fields(self, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, "_Entry"]:
        """The entries of a mapping with known names only."""
        found = self.entries()
        for name in required:
            if name not in found:
                raise self.refuse(f"`{name}` is missing")
        for name, entry in found.items():
            if name not in (*required, *optional):
                known = ", ".join((*required, *optional))
                raise entry.refuse(f"`{name}` is not known here", f"known are {known}")
        return found


def read_catalogue(
    text: str,
    *,
    version: int = 1,
    previous: str = _NULL_DIGEST,
    key_ids: Mapping[str, str] | None = None,
    keyless: bool = False,
) -> Catalogue:
    """The catalogue written in ``text``, as the given version.

    ``key_ids`` gives the id of a key domain's key where the file does not; with ``keyless`` domains may have none, in a
    catalogue that serves to plan and decide and is never signed. Raises RequestError ``plans/catalogue-file`` with the
    line of the first fault, or the errors of ``check_catalogue``.
    """
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise RequestError(
            "plans/catalogue-file",
            f"the file is not YAML: {getattr(error, 'problem', None) or error}",
            place="" if mark is None else f"line {mark.line + 1}",
            remedy="correct the catalogue file",
        ) from error
    if node is None:
        raise RequestError("plans/catalogue-file", "the file is empty", remedy="write a catalogue into it")
    root = _Entry(node, "")
    fields = root.fields(("consortium", "purposes", "tables"), ("enums", "key-domains"))
    enums = {name: entry.texts() for name, entry in _entries(fields, "enums").items()}
    domains = {
        name: _key_domain(name, entry, (key_ids or {}).get(name, NO_KEY if keyless else None))
        for name, entry in _entries(fields, "key-domains").items()
    }
    tables = [_table(name, entry, enums, domains) for name, entry in fields["tables"].entries().items()]
    try:
        catalogue = Catalogue(
            consortium=fields["consortium"].text(),
            version=version,
            previous=previous,
            purposes=fields["purposes"].texts(),
            key_domains=tuple(domains.values()),
            tables=tuple(tables),
        )
    except ValidationError as error:
        raise root.refuse(_first(error)) from error
    check_catalogue(catalogue)
    return catalogue


def _entries(fields: Mapping[str, _Entry], name: str) -> dict[str, _Entry]:
    return fields[name].entries() if name in fields else {}


def _key_domain(name: str, entry: _Entry, known_id: str | None) -> KeyDomain:
    fields = entry.fields(("id-type",), ("normal-form", "bits", "key-id"))
    key_id = fields["key-id"].text() if "key-id" in fields else known_id
    if key_id is None:
        raise entry.refuse(f"the key domain `{name}` has no key yet", f"run `consortia domain-key create {name}` first")
    if known_id not in (None, NO_KEY, key_id):
        raise entry.refuse(
            f"key-id {key_id[:16]} is not that of the sealed key in the folder ({known_id[:16]})",
            "leave key-id out to take the one in the folder",
        )
    normal_form = fields["normal-form"].text() if "normal-form" in fields else "nfc"
    if normal_form not in ("nfc", "none"):
        raise fields["normal-form"].refuse(f"`{normal_form}` is not a normal form", "use nfc or none")
    bits = fields["bits"].number() if "bits" in fields else 96
    if bits % 8 or not 64 <= bits <= 256:
        raise fields["bits"].refuse(f"keys of {bits} bits are not supported", "use a multiple of 8 from 64 to 256")
    try:
        return KeyDomain(
            name=name,
            id_type=fields["id-type"].text(),
            normal_form=cast("Literal['nfc', 'none']", normal_form),
            bits=bits,
            key_id=key_id,
        )
    except ValidationError as error:
        raise entry.refuse(_first(error)) from error


def _table(
    name: str, entry: _Entry, enums: Mapping[str, tuple[str, ...]], domains: Mapping[str, KeyDomain]
) -> CatalogueTable:
    fields = entry.fields(("holders", "max-rows", "columns"), ("canonical", "definition"))
    columns = {column: _column(column, one, enums, domains) for column, one in fields["columns"].entries().items()}
    for column in columns.values():
        if column.type.unit and column.type.unit not in columns:
            raise fields["columns"].refuse(f"the unit `{column.type.unit}` of `{column.name}` is no column here")
    holders = fields["holders"].texts()
    if len(set(holders)) != len(holders) or not holders:
        raise fields["holders"].refuse("holders must be named once, and at least one")
    try:
        return CatalogueTable(
            name=name,
            columns=tuple(columns.values()),
            holders=tuple(sorted(holders)),
            max_rows=fields["max-rows"].number(),
            canonical=fields["canonical"].text().strip() if "canonical" in fields else "",
            definition=fields["definition"].text().strip() if "definition" in fields else "",
        )
    except ValidationError as error:
        raise entry.refuse(_first(error)) from error


def _column(
    name: str, entry: _Entry, enums: Mapping[str, tuple[str, ...]], domains: Mapping[str, KeyDomain]
) -> CatalogueColumn:
    if isinstance(entry.node, yaml.ScalarNode):
        fields = {"type": entry}
    else:
        fields = entry.fields(("type",), ("lo", "hi", "nullable", "unit", "max-distinct"))
    kind = _type(fields["type"], fields.get("unit"), enums, domains)
    if ("lo" in fields) != ("hi" in fields):
        raise entry.refuse("`lo` and `hi` go together")
    bounds = None
    if "lo" in fields:
        bounds = Bounds(lo=_carried(fields["lo"], kind), hi=_carried(fields["hi"], kind))
        if bounds.lo > bounds.hi:
            raise entry.refuse("`lo` is above `hi`")
    elif kind.kind in ("int", "decimal"):
        raise entry.refuse(f"a column of type {kind.kind} needs bounds", "give the least and largest value: lo, hi")
    try:
        return CatalogueColumn(
            name=name,
            type=kind,
            bounds=bounds,
            nullable=fields["nullable"].truth() if "nullable" in fields else False,
            max_distinct=fields["max-distinct"].number() if "max-distinct" in fields else 0,
        )
    except ValidationError as error:
        raise entry.refuse(_first(error)) from error


def _type(
    entry: _Entry, unit: _Entry | None, enums: Mapping[str, tuple[str, ...]], domains: Mapping[str, KeyDomain]
) -> ColumnType:
    match = _TYPE.match(entry.text())
    if match is None or match.group(1) not in get_args(Kind):
        raise entry.refuse(
            f"`{entry.text()}` is not a type",
            "use bool, int, decimal(SCALE), date, timestamp, enum(LIST), key(DOMAIN) or text",
        )
    kind, argument = cast("Kind", match.group(1)), match.group(2)
    if (argument is not None) != (kind in ("decimal", "enum", "key")):
        raise entry.refuse(f"`{entry.text()}` has {'one argument too many' if argument else 'no argument'}")
    scale, bits = 0, 0
    values: tuple[str, ...] = ()
    if kind == "decimal":
        if not argument.isdecimal() or int(argument) > 18:
            raise entry.refuse("the scale of a decimal is a number from 0 to 18")
        scale = int(argument)
    elif kind == "enum":
        if argument not in enums:
            raise entry.refuse(f"there is no list `{argument}` under enums")
        values = enums[argument]
        if len(set(values)) != len(values) or not values:
            raise entry.refuse(f"the list `{argument}` must hold words, each once")
    elif kind == "key":
        if argument not in domains:
            raise entry.refuse(f"there is no key domain `{argument}` under key-domains")
        bits = domains[argument].bits
    domain = argument if kind in ("enum", "key") else ""
    return ColumnType(
        kind=kind, scale=scale, domain=domain, bits=bits, unit="" if unit is None else unit.text(), values=values
    )


def _carried(entry: _Entry, kind: ColumnType) -> int:
    """A bound as the integer that is carried."""
    text = entry.text()
    match kind.kind:
        case "int":
            return entry.number()
        case "decimal":
            match = _DECIMAL.fullmatch(text.replace("_", ""))
            if match is None:
                raise entry.refuse(f"`{text}` is not a decimal number")
            sign, whole, fraction = match.group(1), match.group(2), match.group(3) or ""
            if fraction[kind.scale :].strip("0"):
                raise entry.refuse(f"`{text}` has more than {kind.scale} decimal places")
            # digits only: the arithmetic of Decimal would round beyond 28 of them
            scaled = int(whole + fraction[: kind.scale].ljust(kind.scale, "0"))
            return -scaled if sign else scaled
        case "date":
            try:
                return (date.fromisoformat(text) - _EPOCH.date()).days
            except ValueError as error:
                raise entry.refuse(f"`{text}` is not a date", "write it as 2026-11-25") from error
        case "timestamp":
            try:
                moment = datetime.fromisoformat(text)
                return (moment - _EPOCH) // timedelta(microseconds=1)
            except (ValueError, TypeError) as error:  # TypeError: no zone
                raise entry.refuse(f"`{text}` is not an instant", "write it in UTC as 2026-11-25T00:00:00Z") from error
        case _:
            raise entry.refuse(f"a column of type {kind.kind} has no bounds")


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}"
