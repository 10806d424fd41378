"""Sealed frames over TCP, and the keys they are sealed with."""
