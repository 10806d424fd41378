"""Between the arithmetic, boolean and wide domains."""
