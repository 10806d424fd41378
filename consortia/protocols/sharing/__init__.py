"""How values become shares and shares become values."""
