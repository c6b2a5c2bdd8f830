"""Pitch, energy and spectrum against the clip's own sound."""
