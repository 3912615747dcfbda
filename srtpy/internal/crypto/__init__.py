"""Secrets: from a passphrase to sealed payloads, and an agreement that nobody overhears."""
