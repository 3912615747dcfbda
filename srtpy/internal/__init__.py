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
    promise    a caller's word to look at the socket and the core by an instant, so that nobody is woken meanwhile

What a small stream costs (10 Mbit/s: 950 packets a second; a busy machine of two cores):
    - Everything is cold.  A call of Python costs two to three times what it does in a loop, a system call 10 us
      whichever it is, waking a thread 35 to 90 us.  So count wake-ups first, system calls second, calls third.
    - A sleep of a millisecond alone, 950 times a second, is 2.0 to 2.5 % of a core, whoever writes; four messages a
      system call add 1 %.  What is left between that and libsrt's 4 % is 5 us a message.
    - Promises (session/intake.py, mux/promises.py): a reader that sleeps for 3 ms and a writer that sends a burst
      every 5 to 20 ms read the socket and serve the core themselves.  Watching over them by waking now and then cost
      more than they saved; a timer that each promise moves (mux/alarm.py) is 10 us and wakes nobody.
    - The peer plays by timestamps: how long anything waits costs nothing but time for repairs.  So it waits for as
      long as these can spare (core/leisure.py), and while something has been lost lately for no longer than it must.
    - A writer looks for answers a write after its burst, not with it: an acknowledgement is there by then, and the
      peer that times our answer to it finds a round trip of 1 to 4 ms, not of a burst's distance.
    - Pictures, 19 messages 50 times a second, woke seven threads each at either end.  Who writes or reads in such a
      rhythm promises too: the socket's thread wakes once to send a picture, a reader looks twice for the next.
    - What is gathered waits outside the core (session/gathering.py), and a burst that nothing holds up goes through
      it in one step (Sender.send_run), which a property test holds against the full path.
    - KEEPALIVE and ACKACK only tell something: they wait in the inbox with the time of their arrival.  Half of what
      an idle connection cost was being woken for them.
    - A packet by itself is acknowledged at once, and the receiver thread waits for what is due within 60 ms by
      itself: three wake-ups instead of six.
    - Whoever reads late measures late.  Clock drift goes by the sample that waited least, apart from the round trip.

What many connections cost (500 on which nothing happens; 200 of 100 kbit/s; the same machine):
    - Woken for each packet, five threads a packet and 300 us.  So the socket's thread takes a lone packet in itself,
      if nobody holds the session's lock, and keeps the connection's next appointment (mux/errands.py,
      session/loops.py `tend`): 30 us of Python, no wake-up but the reader's when the message is due.
    - Where little comes for each of many, the socket is read every 10 ms and a read brings 40 datagrams
      (mux/nap.py `Trickle`); it costs a loss 10 ms of the 120 there are to mend it.
    - The timer threads only look, every 3 or 4 seconds, whether the socket's thread is there: 30 us a connection.

What a fast file costs (64 kB a write; the same machine):
    - The kernel takes 9 us to send 64 kB in 44 packets by one call (GSO), and 17 us if one `struct` call makes them.
    - So there is no object for a packet on its way out: columns in the send buffer (buffer/send.py), a train of
      datagrams made at once (packet/train.py).  What is left of a write waits for the next one rather than leave as
      a packet of 16 bytes.
    - Waking the receiver and the timer thread for acknowledgements and pace took as long as all of that.  A writer
      that writes again within a millisecond does their work itself (session/serving.py).
"""
