"""What runs the pipeline in the cloud: the MWAA tree, connector properties, templates."""
