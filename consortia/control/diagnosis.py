"""Why the coordinator could not be reached, in words: gRPC itself says "unavailable" for nearly everything.

The attempt is repeated once with the plain TLS library and the certificate shown there is judged by the rules of
``trust.certificates``, so that each cause has its own code and a person is never offered three guesses at once.
"""

import socket
import ssl
import tempfile
from datetime import datetime
from pathlib import Path

from consortia.control.identity import TlsIdentity
from consortia.errors import ConsortiaError, OperatorError, PeerError
from consortia.trust.certificates import COORDINATOR, Identity, check_certificate, not_after
from consortia.trust.documents import instant_text


def split_endpoint(endpoint: str) -> tuple[str, int]:
    """Host and port of ``host:port``; raises OperatorError ``control/endpoint`` otherwise."""
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdecimal() or not 0 <= int(port) < 65536:
        raise OperatorError("control/endpoint", f"`{endpoint}` is not an address", remedy="write it as host:port")
    return host.strip("[]"), int(port)


def diagnose(endpoint: str, tls: TlsIdentity, seconds: float, now: datetime) -> ConsortiaError:
    """The error that a connection of ``tls`` to ``endpoint`` meets now."""
    try:
        host, port = split_endpoint(endpoint)
        context = _context(tls)
        with (
            socket.create_connection((host, port), timeout=seconds) as plain,
            context.wrap_socket(plain, server_hostname=COORDINATOR) as secure,
        ):
            _check_server(secure, tls, now)
            # With TLS 1.3 the other side judges our certificate after our own handshake. gRPC tells its verdict by
            # closing without a word; a side that is content sends its HTTP/2 settings at once.
            secure.settimeout(1.0)
            if not secure.recv(1):
                return _refused(endpoint, tls, "it closes the connection after the handshake", now)
    except ConsortiaError as error:
        return error
    except TimeoutError:
        return _unreachable(endpoint, "it takes the connection but does not answer")
    except ssl.SSLError as error:
        return _alert(endpoint, tls, error, now)
    except OSError as error:
        return _unreachable(endpoint, error.strerror or str(error))
    return _unreachable(endpoint, "it accepts the certificate but broke the stream")


def _check_server(secure: ssl.SSLSocket, tls: TlsIdentity, now: datetime) -> None:
    shown = secure.getpeercert(binary_form=True)
    pem = ssl.DER_cert_to_PEM_cert(shown) if shown else ""
    check_certificate(pem, Identity(tls.identity.consortium, "coordinator", COORDINATOR), tls.roots, now)


def _context(tls: TlsIdentity) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Nothing is sent over this connection; its certificate is judged by `_check_server`, which says more.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        with tempfile.TemporaryDirectory() as folder:
            # The library reads certificate and key from a file only; the folder is mode 0700 and is gone at once.
            file = Path(folder) / "identity.pem"
            file.touch(mode=0o600)
            file.write_bytes(tls.certificate.encode() + b"\n" + tls.key)
            context.load_cert_chain(file)
    except ssl.SSLError as error:
        raise OperatorError(
            "control/own-certificate",
            f"the TLS certificate of `{tls.identity.id}` and its key do not belong together",
            remedy="install both files as `consortia init` or `consortia person add` made them",
        ) from error
    return context


def _alert(endpoint: str, tls: TlsIdentity, error: ssl.SSLError, now: datetime) -> ConsortiaError:
    reason = (error.reason or str(error)).lower().replace("_", " ")
    if "alert" in reason:
        return _refused(endpoint, tls, reason, now)
    return PeerError(
        "control/no-tls",
        f"no secure connection to {endpoint}",
        place=reason,
        remedy="check the endpoint: something else may listen there",
    )


def _refused(endpoint: str, tls: TlsIdentity, reason: str, now: datetime) -> OperatorError:
    if now >= not_after(tls.certificate):
        return OperatorError(
            "control/own-expired",
            f"the TLS certificate of `{tls.identity.id}` expired on {instant_text(not_after(tls.certificate))}",
            remedy="issue a new one under your member's TLS root",
        )
    return OperatorError(
        "control/own-refused",
        f"the coordinator at {endpoint} does not accept the TLS certificate of `{tls.identity.id}`",
        place=reason,
        remedy="its copy of your member's card may be an old one: send its operator the present card",
    )


def _unreachable(endpoint: str, why: str) -> PeerError:
    return PeerError(
        "control/unreachable",
        f"the coordinator does not answer at {endpoint}: {why.lower()}",
        remedy="ask its operator whether it runs, and check the endpoint in the manifest",
    )
