"""Products in Z_2^64 and Z_2^128."""
