"""The local stage: one owner's part of a plan, as one SQL statement on its own snapshots."""
