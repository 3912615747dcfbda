"""The wire: one layout a file, packed and unpacked, and nothing decided."""
