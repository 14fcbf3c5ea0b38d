"""TLS 1.2 and 1.3: encrypted endpoints, and records decrypted with known secrets."""
