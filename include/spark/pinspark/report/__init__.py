"""The report of a run: one HTML page with the answers, their charts and statements, made where Spark runs."""
