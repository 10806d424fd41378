"""Noise of differential privacy: exact integer samplers, and their sums on shares."""
