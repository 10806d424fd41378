"""From SQL text to the canonical, typed plan: pure functions from values to values."""
