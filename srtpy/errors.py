"""What goes wrong, as exceptions, and why a peer refuses, as codes.

Lives here: `SRTError` and its leaves, each also the builtin a socket user already catches;
`RejectReason` with advice for people.
Never here: when any of it is raised; how reasons travel (handshake.codes); `MalformedPacket`
(packet), which users never see.
Draft: 4.3 "Handshake Messages", table 7.
"""

from __future__ import annotations

import errno as codes
from enum import IntEnum
from typing import Any, ClassVar, Final

PEER_ERROR_FILE_SYSTEM: Final = 4000
"""The PEERERROR code for "my file system failed"."""


class RejectReason(IntEnum):
    """Why a connection was refused.

    1000-1017 are the protocol's own reasons, 1400-1599 follow HTTP's status codes (plus 1000), and from
    2000 on the numbers are the application's.  Any other int from 1000 up is accepted too.
    """

    UNKNOWN = 1000
    SYSTEM = 1001
    PEER = 1002
    RESOURCE = 1003
    ROGUE = 1004
    BACKLOG = 1005
    IPE = 1006
    CLOSE = 1007
    VERSION = 1008
    RDV_COOKIE = 1009
    BAD_SECRET = 1010
    UNSECURE = 1011
    MESSAGE_API = 1012
    CONGESTION = 1013
    FILTER = 1014
    GROUP = 1015
    TIMEOUT = 1016
    CRYPTO = 1017
    X_BAD_REQUEST = 1400
    X_UNAUTHORIZED = 1401
    X_OVERLOADED = 1402
    X_FORBIDDEN = 1403
    X_NOT_FOUND = 1404
    X_BAD_MODE = 1405
    X_UNACCEPTABLE = 1406
    X_CONFLICT = 1409
    X_UNSUPPORTED_MEDIA = 1415
    X_LOCKED = 1423
    X_FAILED_DEPENDENCY = 1424
    X_INTERNAL_ERROR = 1500
    X_UNIMPLEMENTED = 1501
    X_GATEWAY = 1502
    X_UNAVAILABLE = 1503
    X_VERSION = 1505
    X_NO_ROOM = 1507
    USER_DEFINED = 2000

    @classmethod
    def _missing_(cls, value: object) -> RejectReason | None:
        if not isinstance(value, int) or isinstance(value, bool) or not 1000 <= value <= LARGEST_REASON:
            return None
        member = int.__new__(cls, value)
        member._name_ = f"CODE_{value}"
        member._value_ = value
        # two threads may get here at once: both must leave with the same member
        kept: RejectReason = cls._value2member_map_.setdefault(value, member)  # type: ignore[assignment]
        return kept

    @property
    def advice(self) -> str:
        """What it means and what to do about it, in a sentence for people."""
        known = _ADVICE.get(self.value)
        if known is not None:
            return known
        if self >= RejectReason.USER_DEFINED:
            return f"the peer's application refused with its own code {self.value}; ask whoever runs it"
        return f"the peer refused with code {self.value}, which has no agreed meaning"


LARGEST_REASON: Final = 0x7FFFFFFF
"""A handshake's type is a signed 32-bit number."""

_ADVICE: Final[dict[int, str]] = {
    1000: "the peer gave no reason it can name",
    1001: "the peer's system failed while it set up the connection; look at its log",
    1002: "the peer's application refused the connection; check the stream id it expects",
    1003: "the peer is out of resources (memory or sockets)",
    1004: "the peer found our handshake wrong; is it an SRT listener of version 1.3 or later?",
    1005: "too many connections wait to be accepted at the peer; try again later",
    1006: "the peer met an internal error",
    1007: "the peer's listener is closing",
    1008: "the peer demands another SRT version; compare min_version on both sides",
    1009: "both rendezvous peers chose the same cookie; try again",
    1010: "wrong passphrase; compare it on both sides",
    1011: "a passphrase is set on one side only; set the same one on both, or on neither",
    1012: "one side uses messages and the other a byte stream; compare message_api on both sides",
    1013: "live and file mode do not match; compare congestion (transtype) on both sides",
    1014: "the packet filters do not match; compare packet_filter on both sides",
    1015: "the peer accepts no group connections, or not of this type",
    1016: "the handshake took too long; check address, port and firewall, or raise conn_timeout",
    1017: "the encryption modes (CTR, GCM) do not match; compare crypto_mode on both sides",
    1400: "the peer found the stream id malformed",
    1401: "the peer demands authentication; check the user and secret in the stream id",
    1402: "the peer is overloaded; try again later",
    1403: "the peer denies access to this stream; check the stream id and its rights",
    1404: "the peer knows no such stream; check the resource name in the stream id",
    1405: "the peer does not support this mode (request, publish) for the stream",
    1406: "the peer cannot serve the parameters in the stream id",
    1409: "the stream is in use already, usually by another publisher",
    1415: "the peer does not support this kind of media",
    1423: "the stream is locked; somebody else holds it",
    1424: "something the stream depends on failed at the peer",
    1500: "the peer's application failed; look at its log",
    1501: "the peer does not implement what was asked for",
    1502: "the peer is a gateway and its own source failed",
    1503: "the service is unavailable at the moment; try again later",
    1505: "the peer's application does not support this version of the request",
    1507: "the peer has no room left to store the stream",
}


class SRTError(OSError):
    """The base of everything srtpy raises about connections.

    Attributes:
        bytes_taken: for an error out of a write, how much of the data had been taken before.
    """

    code_number: ClassVar[int] = codes.EIO
    default_text: ClassVar[str] = "an SRT operation failed"
    bytes_taken: int = 0

    def __init__(self, text: str = "") -> None:
        super().__init__(self.code_number, text or self.default_text)

    def __str__(self) -> str:
        return str(self.strerror)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.strerror!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.strerror,), dict(self.__dict__)


class RejectedError(SRTError, ConnectionRefusedError):
    """The peer answered and refused.

    Attributes:
        reason: why, as it says.
    """

    code_number = codes.ECONNREFUSED

    def __init__(self, reason: int = RejectReason.UNKNOWN, text: str = "") -> None:
        self.reason = RejectReason(reason)
        super().__init__(text or f"connection rejected ({self.reason.name}, {self.reason.value}): {self.reason.advice}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.reason, self.strerror), dict(self.__dict__)


class NobodyListeningError(SRTError, ConnectionRefusedError):
    """The peer's machine says that nobody listens on the port (ICMP)."""

    code_number = codes.ECONNREFUSED
    default_text = "nobody listens there; check the port, and that the listener runs"


class ConnectionTimeoutError(SRTError, TimeoutError):
    """Nobody answered while connecting."""

    code_number = codes.ETIMEDOUT
    default_text = "nobody answered in time; check address, port (UDP) and firewall, or raise conn_timeout"


class ConnectionBrokenError(SRTError, ConnectionResetError):
    """The peer has been silent for too long, or the connection cannot go on."""

    code_number = codes.ECONNRESET
    default_text = "the connection broke: nothing came from the peer for peer_idle_timeout"


class PeerShutdownError(SRTError, BrokenPipeError):
    """The peer has shut the connection down; nothing can be written any more."""

    code_number = codes.EPIPE
    default_text = "the peer has closed the connection; what has arrived can still be read"


class PeerError(SRTError):
    """The peer reported a failure of its own.

    Attributes:
        code: the number it sent, `PEER_ERROR_FILE_SYSTEM` for one.
    """

    def __init__(self, code: int = PEER_ERROR_FILE_SYSTEM, text: str = "") -> None:
        self.code = code
        super().__init__(text or f"the peer reported error {code} and reads no further; close the connection")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, self.strerror), dict(self.__dict__)


class DeadlineError(SRTError, TimeoutError):
    """A timeout or deadline passed before the call was through."""

    code_number = codes.ETIMEDOUT
    default_text = "the call did not finish in the time given"


class WouldBlockError(SRTError, BlockingIOError):
    """The call would have to wait, and waiting is switched off."""

    code_number = codes.EAGAIN
    default_text = "nothing can be done without waiting, and waiting is switched off (settimeout(0), SND_SYN, RCV_SYN)"


class MessageTooLargeError(SRTError, ValueError):
    """A message does not fit."""

    code_number = codes.EMSGSIZE
    default_text = "the message is too large; in live mode each write is one packet of at most payload_size bytes"


class ClosedError(SRTError):
    """What was called has been closed."""

    code_number = codes.EBADF
    default_text = "closed"


class ConnClosedError(ClosedError):
    """The connection was closed on this side."""

    default_text = "the connection is closed"


class ListenerClosedError(ClosedError):
    """The listener was closed."""

    default_text = "the listener is closed"


class InvalidOptionError(SRTError, ValueError):
    """There is no such option, or it cannot take that value."""

    code_number = codes.ENOPROTOOPT
    default_text = "no such option"


class ReadOnlyOptionError(SRTError, ValueError):
    """The option can be read, not set."""

    code_number = codes.EINVAL
    default_text = "the option is read-only"


class PreConnectOnlyError(SRTError, ValueError):
    """The option can be set before connecting only."""

    code_number = codes.EISCONN
    default_text = "the option can only be set before connecting: give it to dial, listen or Config"
