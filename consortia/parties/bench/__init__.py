"""Measuring one's own links and machine: no protocol of a session, and nothing of anybody's data."""
