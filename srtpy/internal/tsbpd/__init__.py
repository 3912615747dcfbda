"""Timestamp-based packet delivery: the sender's clock laid over ours."""
