"""The read model: decisions on stored facts, as functions of the store. Knows nothing of HTTP."""
