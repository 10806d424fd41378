"""Analyses that SQL does not say, written as a spec: what is followed from account to account."""
