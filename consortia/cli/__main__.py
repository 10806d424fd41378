"""``python -m consortia.cli`` is the command ``consortia``."""

from consortia.cli.main import run

run()
