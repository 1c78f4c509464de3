"""API Gateway, local: executes the OpenAPI definition and its AWS extensions as they stand."""
