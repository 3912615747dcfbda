"""What was sent and may be asked for again, what arrived and may not yet be read."""
