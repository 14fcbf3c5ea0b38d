"""Finds out passively which APIs run, what they accept and return, and where personal data flows."""

__version__ = "0.1.0"
