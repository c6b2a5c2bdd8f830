"""Scorers, one room per question; importing this package imports nothing. The list of metrics is `registry`."""
