"""Fixed-point numbers and functions of them, with stated domain and error, on any engine."""
