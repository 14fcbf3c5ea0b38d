"""A finished exchange as octets: OTLP and JSON, written once, straight from the record."""
