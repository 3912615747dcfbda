"""From two sockets that have never met to an agreement, or a refusal with a reason."""
