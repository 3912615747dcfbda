"""One UDP socket and one thread for all the connections that share it."""
