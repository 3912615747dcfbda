"""Where a connection stands, and why it can no longer be read or written.

Lives here: `ConnState` (numbers as libsrt's SRT_SOCKSTATUS), `Fate`, which turns what happened
into the error a reader or a writer gets.
Never here: noticing what happened (engine.py), closing (session.py).
"""

from __future__ import annotations

from enum import IntEnum

from srtpy.errors import ConnClosedError, ConnectionBrokenError, PeerError, PeerShutdownError, SRTError


class ConnState(IntEnum):
    """Where a connection or listener stands."""

    INIT = 1
    OPENED = 2
    LISTENING = 3
    CONNECTING = 4
    CONNECTED = 5
    BROKEN = 6
    CLOSING = 7
    CLOSED = 8
    NON_EXIST = 9

    def __str__(self) -> str:
        return self.name.lower()


class Fate:
    """What became of one connection; guarded by the session's lock.

    Attributes:
        state: CONNECTED, then BROKEN (the peer is gone, either way) or not, then CLOSING and CLOSED.
        is_ending: nothing more will arrive; what has arrived can still be read.
        is_unwritable: writing raises `refusal_to_write`.
        is_finished: the core needs its threads no longer.
        is_down: threads and socket have been given back.
        untold: what people should know of and have not been told yet.
    """

    __slots__ = (
        "_broken_because",
        "_peer_code",
        "is_down",
        "is_ending",
        "is_finished",
        "is_unwritable",
        "state",
        "untold",
    )

    def __init__(self) -> None:
        self.state = ConnState.CONNECTED
        self.is_ending = False
        self.is_unwritable = False
        self.is_finished = False
        self.is_down = False
        self._broken_because: str | None = None
        self._peer_code: int | None = None
        self.untold: list[str] = []

    def peer_closed(self) -> None:
        """Note the peer's SHUTDOWN."""
        self._peer_gone()

    def broke(self, because: str) -> None:
        """Note that the connection cannot go on."""
        self._broken_because = because
        self._peer_gone()

    def peer_failed(self, code: int) -> None:
        """Note that the peer reported an error of its own: it reads no further.  People are told of the first."""
        if self._peer_code is None:
            self.untold.append(
                f"the peer reported an error of its own (PEERERROR, code {code}) and may read no further"
            )
        self._peer_code = code
        self.is_unwritable = True

    def closing(self) -> None:
        """Note that this side closes."""
        self.state = ConnState.CLOSED if self.is_down else ConnState.CLOSING
        self.is_ending = self.is_unwritable = True

    def finished(self) -> None:
        """Note that nothing is left to say; unless the peer is gone, this side has closed."""
        if not self.is_ending:
            self.closing()
        self.is_finished = True

    def down(self) -> None:
        """Note that threads and socket have been given back."""
        self.is_down = self.is_finished = True
        if self.is_closing:
            self.state = ConnState.CLOSED

    @property
    def is_closing(self) -> bool:
        """Whether this side closes or has closed: what is not yet due is given up."""
        return self.state >= ConnState.CLOSING

    def _peer_gone(self) -> None:
        self.is_ending = self.is_unwritable = True
        if self.is_closing:
            self.is_finished = True  # nobody is left to wait for
        else:
            self.state = ConnState.BROKEN

    @property
    def has_peer_failed(self) -> bool:
        """Whether the peer has reported an error of its own: it has no use for what is still to be sent."""
        return self._peer_code is not None

    def refusal_to_read(self) -> SRTError | None:
        """Return what a reader gets once everything has been read; None is the end of the stream."""
        if self.is_closing:
            return ConnClosedError()
        if self._broken_because is not None:
            return ConnectionBrokenError(self._broken_because)
        return None

    def refusal_to_write(self) -> SRTError:
        """Return what a writer gets."""
        if self.is_closing:
            return ConnClosedError()
        if self._broken_because is not None:
            return ConnectionBrokenError(self._broken_because)
        if self._peer_code is not None:
            return PeerError(self._peer_code)  # also when it has closed since: this is why
        return PeerShutdownError()
