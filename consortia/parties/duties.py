"""What a node's clock does every two seconds: one duty that fails keeps no other from being done."""

from collections.abc import Callable

import structlog

from consortia.errors import ConsortiaError, unexpected

_LOG = structlog.get_logger("consortia.parties")


def attempt(duty: Callable[[], object]) -> None:
    """Do it; an error goes to the log with its code, and the duty is done again at the next look."""
    try:
        duty()
    except ConsortiaError as error:
        _LOG.error("clock-duty-failed", **error.as_dict())
    except Exception as error:  # noqa: BLE001  # without the clock nobody would hear of progress, stops, ends of holds
        _LOG.error("clock-duty-failed", code="parties/internal", **unexpected(error))
