"""Oblivious relations over any engine: union, order, group, filter, control.

Everything here is a function of an engine and shared tables; it knows nothing of plans, members' files or openings.
Row counts are public, everything else is shared. Invariant of every ``SharedTable``: a row whose valid bit is 0
holds zero in every column, and a NULL is a canonical zero under a validity bit of 0.
"""
