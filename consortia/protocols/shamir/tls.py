"""How computers know each other: TLS 1.3, a certificate on both sides, the root of each member and nothing else."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """This member's certificate and key (PEM files), and how the others are known.

    ``roots`` are the TLS roots (PEM) of the other computers' members; ``check(member, certificate)`` raises PeerError
    unless the certificate (DER) is that of the member's node.
    """

    certificate: str
    key: str
    passphrase: bytes | None
    roots: Mapping[str, str]
    check: Callable[[str, bytes], None]

    def accepting(self) -> ssl.SSLContext:
        """For connections from other computers."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        return self._with_certificates(context, "\n".join(self.roots.values()))

    def dialling(self, member: str) -> ssl.SSLContext:
        """For a connection to the computer of ``member``: its root alone, and its name."""
        return self._with_certificates(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), self.roots[member])

    def _with_certificates(self, context: ssl.SSLContext, roots: str) -> ssl.SSLContext:
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self.certificate, self.key, self.passphrase)
        context.load_verify_locations(cadata=roots)
        return context
