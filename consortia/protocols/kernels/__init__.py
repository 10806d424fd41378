"""Numba kernels: small loops with explicit signatures, each with a three-line numpy twin in the tests."""
