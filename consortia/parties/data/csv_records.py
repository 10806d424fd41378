"""CSV after RFC 4180, strictly: UTF-8, commas, double quotes, LF or CRLF. Nothing is sniffed and nothing repaired.

The parser of the standard library takes a quote inside an unquoted field for text, and can't tell ``""`` from an
empty field. Here the first is refused, and the second matters: only an unquoted field can be a NULL word.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from consortia.errors import OperatorError

BOM = b"\xef\xbb\xbf"
_QUOTED = re.compile(r'"([^"]*(?:""[^"]*)*)"')
_CARRIAGE_RETURN = ("a carriage return stands inside the line", "end lines with LF or CRLF")
_PLAIN = re.compile(r'[^",\r\n]*')


class Quoted(str):
    """The text of a field that stood in quotes."""

    __slots__ = ()


@dataclass(frozen=True)
class Record:
    """The fields of one record and the line (from 1) on which it begins."""

    line: int
    fields: list[str]


def decode(content: bytes, file: str) -> str:
    """The text of a file in UTF-8, a byte order mark left out.

    Raises OperatorError ``data/encoding`` with the offset of the first byte that is not UTF-8, or a NUL character.
    """
    lead = len(BOM) if content.startswith(BOM) else 0
    try:
        text = content[lead:].decode("utf-8")
    except UnicodeDecodeError as error:
        offset = lead + error.start
        line = content.count(b"\n", 0, offset) + 1
        raise OperatorError(
            "data/encoding",
            f"byte {content[offset]:#04x} at offset {offset} is not UTF-8",
            place=f"{file}, line {line}",
            remedy="export the file as UTF-8, or convert it: iconv -f WINDOWS-1252 -t UTF-8",
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise OperatorError(
            "data/encoding",
            "the file holds NUL characters: it is UTF-16, or no text at all",
            place=f"{file}, line {line}",
            remedy="export the file as UTF-8",
        )
    return text


def records(text: str, file: str) -> Iterator[Record]:
    """The records of a decoded CSV text, header included.

    Raises OperatorError ``data/csv`` at the first line that is not RFC 4180.
    """
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    elif lines[-1].endswith("\r"):
        raise _malformed(file, len(lines), *_CARRIAGE_RETURN)
    place = 0
    while place < len(lines):
        start, line = place, lines[place]
        place += 1
        if '"' not in line:
            line = line.removesuffix("\r")
            if "\r" in line:
                raise _malformed(file, start + 1, *_CARRIAGE_RETURN)
            yield Record(start + 1, line.split(","))
            continue
        parts, quotes = [line], line.count('"')
        while quotes % 2 and place < len(lines):
            parts.append(lines[place])
            quotes += lines[place].count('"')
            place += 1
        yield Record(start + 1, _fields("\n".join(parts).removesuffix("\r"), file, start + 1))


def _fields(record: str, file: str, line: int) -> list[str]:
    """The fields of a record in which quotes occur."""
    fields: list[str] = []
    place = 0
    while True:
        quoted = _QUOTED.match(record, place)
        if quoted:
            fields.append(Quoted(quoted.group(1).replace('""', '"')))
        else:
            plain = _PLAIN.match(record, place)
            fields.append(plain.group() if plain else "")
        place = quoted.end() if quoted else place + len(fields[-1])
        if place == len(record):
            return fields
        if record[place] != ",":
            raise _unquoted(record, place, file, line, number=len(fields), was_quoted=quoted is not None)
        place += 1


def _unquoted(record: str, place: int, file: str, line: int, *, number: int, was_quoted: bool) -> OperatorError:
    at = line + record.count("\n", 0, place)
    if record[place] == "\r":
        return _malformed(file, at, *_CARRIAGE_RETURN)
    if was_quoted:
        what = f"text follows the closing quote of field {number}"
    elif record[place:].count('"') == 1 and record[place - 1 : place] in ("", ","):
        what = f"the quote of field {number} is never closed"
    else:
        what = f"a quote stands inside field {number}, which is not quoted"
    return _malformed(file, at, what, 'put the whole field in quotes and write a quote inside it as ""')


def _malformed(file: str, line: int, what: str, remedy: str) -> OperatorError:
    return OperatorError("data/csv", what, place=f"{file}, line {line}", remedy=remedy)
