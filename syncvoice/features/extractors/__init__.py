"""One module per extractor, named like it: `Extractor` computes the feature, `Settings` says what may be set.

A new file here is a new extractor; nothing else names it. See `syncvoice.features.base` for what a module must hold.
"""
