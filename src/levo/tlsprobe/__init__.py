"""Reads the secrets of TLS connections where libraries are about to log them, for a sensor to decrypt."""
