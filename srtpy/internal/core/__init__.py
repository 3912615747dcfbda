"""The connection itself, without a socket, a thread or a clock."""
