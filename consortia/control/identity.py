"""The TLS side of an end of the control plane: what it shows, and whom it accepts. Authority is elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass, field

import grpc

from consortia.trust.certificates import Identity


@dataclass(frozen=True, slots=True)
class TlsIdentity:
    """PEM bytes: own certificate and private key, and the root or roots under which peers must stand."""

    identity: Identity
    certificate: str
    key: bytes = field(repr=False)
    roots: str

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """For an end that dials."""
        return grpc.ssl_channel_credentials(self.roots.encode(), self.key, self.certificate.encode())

    def server_credentials(self, roots: Callable[[], str]) -> grpc.ServerCredentials:
        """For the end that listens: a client without a certificate under the present ``roots`` is refused."""

        def present() -> grpc.ServerCertificateConfiguration:
            pair = (self.key, self.certificate.encode())
            return grpc.ssl_server_certificate_configuration([pair], root_certificates=roots().encode())

        return grpc.dynamic_ssl_server_credentials(present(), present, require_client_authentication=True)
