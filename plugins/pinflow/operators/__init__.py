"""Operators move: each returns what it wrote and logs the counts."""
