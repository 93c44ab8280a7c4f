"""Online inference: scores in milliseconds, each party with its own columns and models."""
