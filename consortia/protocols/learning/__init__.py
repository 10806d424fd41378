"""Training on shares with two rounds a step: what does not depend on data is prepared in batches before.

A step opens sums of products under a prepared uniform mask, and goes on locally from the public masked value and what
was prepared about its mask: its rounded quotient (``rounding``), powers of that (``cubic``), its sines (``waves``).
"""
