"""From a relation tree to steps: what is known of its columns, in which domain each is needed, where each part runs."""
