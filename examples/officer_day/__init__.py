"""A compliance officer's day, from the first signature to a tampered evidence pack: ``make officer-day``.

Three banks, their coordinator and nodes run as processes of their own; dora writes bank-a's policy, petra and otto sign
it. Every command is the command line's own; docs/officer-day.md tells the story.
"""
