"""What every layer of the engine shares: structures, counted memory, the record of an exchange, octets being
written. Knows no layer.
"""
