"""The inside of the house: floors, rooms, words.

Floors (import downward only; tests/house checks):
    0  ground      seq, clock, packet            values and layouts, no state
    1  mechanisms  buffer, tsbpd, congestion, handshake    one idea each, strangers to each other
    2  machines    core                          compose mechanisms; no I/O, clock or thread
    3  shell       mux, session                  the only rooms with sockets, threads, entropy
    4  door        srtpy/*.py                    thin: check, convert, delegate

Words:
    datagram   what one UDP packet carries
    packet     SRT's unit: a header and a body
    message    what the application wrote in one piece
    batch      the datagrams one read of the socket brought in
    run        packets that follow each other without a gap
    part       an object with its own state and one deadline, composed by the connection
"""
