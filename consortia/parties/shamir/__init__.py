"""A node's part in a shamir run: MPyC in a process of its own, which the node starts, feeds, watches and ends."""
