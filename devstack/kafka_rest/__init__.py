"""A Kafka REST proxy, compatible with API v2 for producing JSON; values and keys pass through as bytes."""
