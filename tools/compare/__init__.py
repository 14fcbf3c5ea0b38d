"""Compares what two commits make of the same traffic. The entry point is ``tools/compare-commits``."""
