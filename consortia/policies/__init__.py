"""What owners permit: the language, the check, the obligations. No I/O, no clock, no randomness."""
