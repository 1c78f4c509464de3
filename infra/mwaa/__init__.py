"""The tree that MWAA gets."""
