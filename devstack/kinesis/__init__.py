"""Kinesis Data Streams on loopback: streams, shards and records over SQLite, with the service's limits.

Not there: signatures (any credentials do), CBOR, tags, encryption, enhanced fan-out, records over 1 MiB,
UpdateShardCount. On-demand streams keep their four shards and the limits of provisioned ones. What a second
has used of a limit is forgotten by a restart.
"""
