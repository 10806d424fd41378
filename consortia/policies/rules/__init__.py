"""One kind of rule a module."""
