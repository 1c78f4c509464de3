"""The Pinterest data pipeline for Airflow: the only package the DAG files import."""

__version__ = "0.1.0"
