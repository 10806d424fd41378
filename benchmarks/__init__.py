"""Measurements of our engine and of others beside it: ``make bench``."""
