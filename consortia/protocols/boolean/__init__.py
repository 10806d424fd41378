"""Circuits over bit-sliced planes."""
