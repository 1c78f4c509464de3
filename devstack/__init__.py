"""The embedded local stack: one module a service, usable without our DAGs."""
