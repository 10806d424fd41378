"""The append-only journal and its leaves."""
