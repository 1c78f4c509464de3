"""The process that runs what the Databricks endpoint accepts: warm, forking, in the Spark environment."""
