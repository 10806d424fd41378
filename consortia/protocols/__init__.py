"""The engine: protocols as functions of a context, shares as opaque vectors."""
