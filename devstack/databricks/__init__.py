"""The parts of Databricks that a pipeline talks to, over one local Spark: jobs, SQL statements, files."""
