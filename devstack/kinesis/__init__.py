"""Kinesis Data Streams on loopback: streams, shards and records over SQLite, with the service's limits."""
