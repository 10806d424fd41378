"""Oblivious relations over any engine."""
