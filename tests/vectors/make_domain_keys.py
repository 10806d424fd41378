"""Writes domain_keys.json: hashed identifiers, computed with the standard library alone (no part of the package).

Run ``python tests/vectors/make_domain_keys.py``; the file must not change.
"""

import hashlib
import hmac
import json
import unicodedata
from pathlib import Path

KEY = bytes(range(32)).hex()
CASES = [
    ("plain", "aml", "customer", "customer-number", "nfc", 96, "C-000123"),
    ("empty", "aml", "customer", "customer-number", "nfc", 96, ""),
    ("leading zeros", "aml", "customer", "customer-number", "nfc", 96, "00123"),
    ("decomposed", "aml", "customer", "name", "nfc", 96, "Jose\u0301"),
    ("decomposed, kept", "aml", "customer", "name", "none", 96, "Jose\u0301"),
    ("quote and backslash", "aml", "customer", "name", "nfc", 128, 'a"b\\c/d'),
    ("controls", "aml", "account", "iban", "nfc", 64, "\b\t\n\f\r\x00\x1f\x7f\u2028"),
    ("beyond the basic plane", "aml", "account", "iban", "nfc", 256, "𝔸😀"),
]
ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def quoted(text: str) -> str:
    """A string after RFC 8785, written out."""
    escaped = (ESCAPES.get(sign) or (f"\\u{ord(sign):04x}" if ord(sign) < 0x20 else sign) for sign in text)
    return '"' + "".join(escaped) + '"'


def hashed(consortium: str, domain: str, id_type: str, normal_form: str, bits: int, value: str) -> str:
    """The first bits of HMAC-SHA-256 over the canonical list, in hexadecimal."""
    normal = unicodedata.normalize("NFC", value) if normal_form == "nfc" else value
    message = "[" + ",".join(quoted(part) for part in (consortium, domain, id_type, normal_form, normal)) + "]"
    return hmac.new(bytes.fromhex(KEY), message.encode(), hashlib.sha256).digest()[: bits // 8].hex()


def vectors() -> list[dict[str, object]]:
    """All vectors."""
    names = ("note", "consortium", "domain", "id_type", "normal_form", "bits", "value")
    return [{**dict(zip(names, case, strict=True)), "key": KEY, "hashed": hashed(*case[1:])} for case in CASES]


if __name__ == "__main__":
    target = Path(__file__).with_name("domain_keys.json")
    target.write_text(json.dumps(vectors(), indent=1, sort_keys=True) + "\n")
