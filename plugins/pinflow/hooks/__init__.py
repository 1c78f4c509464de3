"""Hooks talk: one class for each system the pipeline reaches."""
