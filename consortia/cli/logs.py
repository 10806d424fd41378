"""Logs of the processes that run for long: one JSON object a line on stderr, with time in UTC, never data values.

Of an exception that nobody foresaw a log holds ``errors.unexpected``, types and places in the code, not its text.
"""

import logging
import sys

import structlog

PROCESSORS = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.JSONRenderer(sort_keys=True),
)
"""From an event to its line."""


def configure_logs() -> None:
    """Send the events of structlog to stderr as JSON lines."""
    structlog.configure(
        processors=PROCESSORS,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
