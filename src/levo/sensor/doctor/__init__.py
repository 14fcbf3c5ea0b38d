"""Why is there no traffic? Evidence is gathered by ``watch`` and ``reach``, judged by ``findings``."""
