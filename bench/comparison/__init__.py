"""A description compared with traffic that obeys it, and with traffic that does not."""
