"""Cached features of clips: one module per kind, one protocol, one cache."""
