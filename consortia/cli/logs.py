"""Logs of the processes that run for long: one JSON object a line on stderr, with time in UTC, never data values.

Of an exception that nobody foresaw a log holds ``errors.unexpected``, types and places in the code, not its text.
"""

import logging
import sys
from typing import TextIO, cast

import structlog

PROCESSORS = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.JSONRenderer(sort_keys=True),
)
"""From an event to its line."""


class _StandardError:
    """The stderr of the moment: a stream that is exchanged or closed later is not held on to."""

    def write(self, text: str) -> None:
        sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure_logs() -> None:
    """Send the events of structlog to stderr as JSON lines."""
    structlog.configure(
        processors=PROCESSORS,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _StandardError())),
    )
