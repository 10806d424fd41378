"""What a new version of a policy changes: in its words, and in the answers to queries. Pure."""
