"""Examples that run offline, in minutes, on one CPU core."""
