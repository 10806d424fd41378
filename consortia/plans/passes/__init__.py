"""One compiler pass a module; the order stands in ``ORDER`` of ``plans/build.py``."""
