"""Recordings as they lie on disk: one module per layout."""
