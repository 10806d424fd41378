"""The engine on plain values: one party, the same shapes, the oracle of what every operator means."""
