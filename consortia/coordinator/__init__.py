"""Schedules sessions and carries messages; is trusted with nothing and holds no share."""
