"""docs/configuration.md, made from the code: what each connection and setting is for, and who reads it."""
