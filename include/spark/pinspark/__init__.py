"""Cleaning, staging, auditing and publishing of Pinterest posts on Spark and Delta."""
