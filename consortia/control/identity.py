"""The TLS side of an end of the control plane: what it shows, and whom it accepts. Authority is elsewhere."""

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

    def server_credentials(self) -> grpc.ServerCredentials:
        """For the end that listens: a client without a certificate under ``roots`` is refused."""
        return grpc.ssl_server_credentials(
            [(self.key, self.certificate.encode())],
            root_certificates=self.roots.encode(),
            require_client_auth=True,
        )
