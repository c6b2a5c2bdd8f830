"""The synthetic world: talking heads that speak natural or espeak voices. Imported by its own commands alone."""
