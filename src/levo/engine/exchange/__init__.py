"""Exchanges, whatever protocol carried them: pairing, sampling, content coding, redaction, batches."""
