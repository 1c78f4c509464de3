"""The embedded stack beside Astro's Airflow, in a container of its own."""
