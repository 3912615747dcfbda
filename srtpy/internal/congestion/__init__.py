"""How fast to send, and the measurements that say so."""
