"""Frames to TCP segments: link layers, tunnels, IP fragments. Knows no connection."""
