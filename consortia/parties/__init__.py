"""The node that a member runs."""
