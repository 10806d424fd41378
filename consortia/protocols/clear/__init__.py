"""The same operators on plain values: the oracle of semantics."""
