"""Time and size limits of the control plane; all are settings of ``party.yaml`` and ``coordinator serve``."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(gt=0, le=86400)]


class ControlLimits(BaseModel):
    """Seconds and bytes. The defaults end a session 10 s after a refused or closed connection, 60 s after silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unseen_seconds: Seconds = 9.0
    """How long a session waits for a party that has never connected, before it ends."""
    closed_seconds: Seconds = 8.0
    """How long it waits for a party whose connection closed to come back."""
    silence_seconds: Seconds = 60.0
    """How long it waits for a connected party that says nothing although it is its turn."""
    keepalive_seconds: Seconds = 30.0
    """Interval of the transport's pings, both ways."""
    keepalive_timeout_seconds: Seconds = 15.0
    """How long an unanswered ping may take before the stream is closed."""
    welcome_seconds: Seconds = 10.0
    """How long a new stream may take to be answered."""
    backoff_seconds: Seconds = 2.0
    """Longest pause between two attempts to reach the coordinator."""
    message_bytes: Annotated[int, Field(ge=65536, le=1 << 30)] = 16 * 1024 * 1024
    """Largest message; larger results travel in pieces."""
    piece_bytes: Annotated[int, Field(ge=1024, le=1 << 24)] = 1 << 20
    """Size of the pieces of a sealed result."""
    streams: Annotated[int, Field(ge=4, le=4096)] = 256
    """Streams that the coordinator serves at once."""


def channel_options(limits: ControlLimits) -> list[tuple[str, int]]:
    """Options that both ends of a gRPC stream take: pings, sizes, no proxy, the port not shared."""
    return [
        ("grpc.keepalive_time_ms", int(limits.keepalive_seconds * 1000)),
        ("grpc.keepalive_timeout_ms", int(limits.keepalive_timeout_seconds * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", int(limits.keepalive_seconds * 500)),
        ("grpc.max_receive_message_length", limits.message_bytes),
        ("grpc.max_send_message_length", limits.message_bytes),
        ("grpc.enable_http_proxy", 0),
        ("grpc.so_reuseport", 0),
    ]
