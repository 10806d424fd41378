"""Shuffle, sort and partition of shared rows: one permutation that nobody knows, and one thing opened under it."""
