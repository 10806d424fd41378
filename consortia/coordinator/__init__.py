"""The coordinator: schedules sessions and carries messages; it is trusted with nothing and can hold no share."""
