"""Institutions compute on the union of their data and see nothing of each other's rows."""
