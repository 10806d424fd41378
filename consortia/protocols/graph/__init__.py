"""Graphs on shares: accounts as nodes, transactions as edges, and values that travel along them."""
