"""A member's data: strict readers, registration, and the immutable snapshots on which the local stage runs."""
