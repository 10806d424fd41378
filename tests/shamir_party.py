"""One computer of the shamir engine as a process of its own: ``python -m tests.shamir_party``.

Standard input gives one line of JSON with who it is; the answer is the port that it listens on. The next line gives
all addresses; then each line names a program of ``tests.shamir_programs``, and the answer holds this computer's shares,
what it sent and the rounds that it took. The input ends the process.
"""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from consortia.errors import ConsortiaError
from consortia.protocols.shamir.context import Context
from consortia.protocols.shamir.costs import Group
from consortia.protocols.shamir.engine import ShamirEngine
from consortia.protocols.shamir.runtime import Limits, joined, listening
from consortia.protocols.shamir.tls import Credentials
from consortia.protocols.transcript import Transcript
from consortia.trust.certificates import Identity, check_certificate
from tests.shamir_programs import PROGRAMS, given


def credentials(given: Mapping[str, Any]) -> Credentials:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    def check(member: str, certificate: bytes) -> None:
        pem = x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM).decode()
        check_certificate(pem, Identity("test", "node", member), given["roots"][member], datetime.now(UTC))

    return Credentials(given["certificate"], given["key"], None, given["roots"], check)


def say(answer: Any) -> None:
    print(json.dumps(answer), flush=True)


def as_json(vector: Any) -> list[Any]:
    share = vector.share
    return [str(x) for x in share] if share.dtype == np.object_ else share.tolist()


def main() -> None:
    who = json.loads(sys.stdin.readline())
    group = Group(tuple(who["computers"]), who["threshold"])
    sock = listening("127.0.0.1")
    say(sock.getsockname()[1])
    ports = json.loads(sys.stdin.readline())
    addresses = {name: ("127.0.0.1", port) for name, port in ports.items()}
    limits = Limits(connect=who["connect"], silence=20.0)
    session = bytes.fromhex(who["session"])
    try:
        with joined(group, who["rank"], session, sock, addresses, credentials(who), limits) as links:
            say("joined")
            for line in sys.stdin:
                name, rows = json.loads(line)
                transcript = Transcript()
                engine = ShamirEngine(Context(who["rank"], group, links.channels, links.keys, transcript, name))
                vectors = PROGRAMS[name](engine, *given(engine, rows, 3))
                say([[as_json(v) for v in vectors], transcript.total_sent(), transcript.total_rounds()])
    except ConsortiaError as error:
        say({"code": error.code, "message": error.message})


if __name__ == "__main__":
    main()
