"""Benchmarks that print ratios of one run."""
