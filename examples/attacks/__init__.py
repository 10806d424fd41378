"""Attacks on a consortium's answers, each really run: what they find without protection, and that they fail with it."""
