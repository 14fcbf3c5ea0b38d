"""Segments to byte streams: the connection table, reassembly, holes, memory pressure. Knows no protocol."""
