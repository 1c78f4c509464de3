"""Sensors wait, without holding a worker slot."""
