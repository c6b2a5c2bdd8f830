"""Whose voice is it? Similarity of speaker embeddings."""
