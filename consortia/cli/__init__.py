"""The command line: one module a noun, and one a verb that stands alone."""
