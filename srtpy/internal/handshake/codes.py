"""Why a connection is refused: the numbers, and how they travel.

Lives here: the codes this library gives itself, public code to wire and back, words
for people.
Never here: deciding to refuse (negotiation.py, the accept callback), the public enum
(srtpy.errors).
Draft: 4.3 "Handshake Messages", table 7; the application's codes are libsrt's.
"""

from __future__ import annotations

from typing import Final

UNKNOWN: Final = 1000  # draft 4.3 "Handshake Messages", table 7: REJ_UNKNOWN
PEER: Final = 1002  # draft table 7: REJ_PEER
ROGUE: Final = 1004  # draft table 7: REJ_ROGUE
BACKLOG: Final = 1005  # draft table 7: REJ_BACKLOG
CLOSE: Final = 1007  # draft table 7: REJ_CLOSE
VERSION: Final = 1008  # draft table 7: REJ_VERSION
UNSECURE: Final = 1011  # draft table 7: REJ_UNSECURE
MESSAGE_API: Final = 1012  # draft table 7: REJ_MESSAGEAPI
CONGESTION: Final = 1013  # draft table 7: REJ_CONGESTION
FILTER: Final = 1014  # draft table 7: REJ_FILTER
GROUP: Final = 1015  # draft table 7: REJ_GROUP
TIMEOUT: Final = 1016  # libsrt srt.h SRT_REJ_TIMEOUT: never on the wire
X_OVERLOADED: Final = 1402  # libsrt access_control.h SRT_REJX_OVERLOAD

FIRST_CODE: Final = 1000  # draft 4.3 "Handshake Messages", table 7
LAST_PROTOCOL_CODE: Final = 1017  # libsrt srt.h SRT_REJ_CRYPTO
FIRST_PREDEFINED: Final = 1400  # libsrt access_control.h: codes borrowed from HTTP
LAST_PREDEFINED: Final = 1599  # ours: as far as those can reach
FIRST_USER_CODE: Final = 2000  # libsrt srt.h SRT_REJC_USERDEFINED
WIRE_SHIFT: Final = 1000  # libsrt handshake.h URQFailure: what the wire adds to an application's code
WIRE_FALLBACK: Final = 2000  # libsrt access_control.h SRT_REJX_FALLBACK: refused, nobody said why
FIRST_WIRE_PREDEFINED: Final = FIRST_PREDEFINED + WIRE_SHIFT  # ours: derived
LAST_WIRE_PREDEFINED: Final = LAST_PREDEFINED + WIRE_SHIFT  # ours: derived
FIRST_WIRE_USER: Final = FIRST_USER_CODE + WIRE_SHIFT  # ours: derived
LARGEST_WIRE: Final = 0x7FFFFFFF  # draft 3.2.1 "Handshake": the type is a signed word

_WORDS: Final = {
    1000: "no reason given",
    1001: "a system function failed",
    1002: "the application refused",
    1003: "it has no resources left",
    1004: "it could not make sense of our handshake",
    1005: "its backlog of connections waiting to be accepted is full; try again later",
    1006: "internal error",
    1007: "it is closing",
    1008: "our version is too old for it",
    1009: "the rendezvous cookies collide",
    1010: "wrong passphrase",
    1011: "one side has a passphrase and the other has none",
    1012: "one side sends messages, the other a stream of bytes",
    1013: "one side is in live mode, the other in file mode",
    1014: "the packet filters do not fit together",
    1015: "it does not take group connections",
    1016: "it did not answer in time",
    1017: "the encryption modes differ",
    1400: "bad request; is the stream id right?",
    1401: "not authenticated",
    1402: "overloaded",
    1403: "access denied",
    1404: "stream not found",
    1405: "mode not supported",
    1406: "parameters not acceptable",
    1409: "the stream is already in use",
    1423: "locked",
    1500: "internal server error",
    1503: "service unavailable",
}


def to_wire(reason: int) -> int:
    """Return the handshake type that carries the public code `reason`.

    Raises:
        ValueError: no such code can be sent.
    """
    if FIRST_CODE <= reason <= LAST_PROTOCOL_CODE:
        return reason
    if FIRST_PREDEFINED <= reason <= LAST_PREDEFINED or FIRST_USER_CODE <= reason <= LARGEST_WIRE - WIRE_SHIFT:
        return reason + WIRE_SHIFT
    raise ValueError(
        f"{reason} is not a reject code that can be sent; use {FIRST_CODE} to {LAST_PROTOCOL_CODE}, "
        f"{FIRST_PREDEFINED} to {LAST_PREDEFINED}, or {FIRST_USER_CODE} and above for your own"
    )


def from_wire(kind: int) -> int:
    """Return the public code for a received handshake type of 1000 or more."""
    if kind == WIRE_FALLBACK:
        return PEER
    if FIRST_WIRE_PREDEFINED <= kind <= LAST_WIRE_PREDEFINED or kind >= FIRST_WIRE_USER:
        return kind - WIRE_SHIFT
    return kind


def words(reason: int) -> str:
    """Return what the public code `reason` means, said of the peer that refused."""
    known = _WORDS.get(reason)
    if known is not None:
        return known
    return "a reason of the application's own" if reason >= FIRST_USER_CODE else "a reason we do not know"
