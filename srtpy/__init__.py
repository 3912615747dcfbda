"""Secure Reliable Transport (SRT) in pure Python: live video over UDP, with a socket-like interface."""
