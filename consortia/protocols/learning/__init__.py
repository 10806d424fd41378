"""Training on shares.

``model`` is what is asked for: joint models on any engine, of features that ``scaling`` standardises: ``regression``,
or ``trees`` of the bits that ``cuts`` makes. ``logistic`` trains with two rounds a step on three computers: what does
not depend on data is prepared in batches before, and a step opens sums of products under a prepared uniform mask, and
goes on locally from the public masked value and what was prepared about its mask: its rounded quotient (``rounding``),
powers of that (``cubic``), its sines (``waves``).
"""
