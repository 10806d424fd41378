"""Files that the commands write."""

from pathlib import Path

from consortia.errors import RequestError


def write_bytes(path: Path, data: bytes, what: str) -> None:
    """Write ``data``, the ``what``, over what is there; raises RequestError ``cli/write``."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise RequestError(
            "cli/write", f"the {what} can't be written: {error.strerror}", place=str(path), remedy="name another file"
        ) from error
