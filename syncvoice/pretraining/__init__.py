"""How the shipped start weights are made from nothing. Imported by its own commands alone."""
