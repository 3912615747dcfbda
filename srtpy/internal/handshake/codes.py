"""How the reasons for a refusal travel.

Lives here: public reject code to handshake type and back.
Never here: the codes' names and what they mean to people (srtpy.errors), deciding to
refuse (negotiation.py, the accept callback).
Draft: 4.3 "Handshake Messages", table 7; the application's codes are libsrt's.

The protocol's own codes travel as they are.  libsrt counts the application's from 0 and
adds 1000 like to its own, so those borrowed from HTTP and the users' arrive 1000 higher.
"""

from __future__ import annotations

from typing import Final

from srtpy.errors import RejectReason

FIRST_PREDEFINED: Final = 1400  # libsrt access_control.h: codes borrowed from HTTP
LAST_PREDEFINED: Final = 1599  # ours: as far as those can reach
WIRE_SHIFT: Final = 1000  # libsrt handshake.h URQFailure: what the wire adds to an application's code
WIRE_FALLBACK: Final = 2000  # libsrt access_control.h SRT_REJX_FALLBACK: refused, nobody said why
LARGEST_WIRE: Final = 0x7FFFFFFF  # draft 3.2.1 "Handshake": the type is a signed word


def to_wire(reason: int) -> int:
    """Return the handshake type that carries the public code `reason`.

    Raises:
        ValueError: no such code can be sent.
    """
    if RejectReason.UNKNOWN <= reason <= RejectReason.CRYPTO:
        return int(reason)
    if FIRST_PREDEFINED <= reason <= LAST_PREDEFINED:
        return reason + WIRE_SHIFT
    if RejectReason.USER_DEFINED <= reason <= LARGEST_WIRE - WIRE_SHIFT:
        return reason + WIRE_SHIFT
    raise ValueError(
        f"reject code {reason} cannot be sent: use 1000 to 1017, {FIRST_PREDEFINED} to {LAST_PREDEFINED}, "
        f"or {RejectReason.USER_DEFINED:d} and above for your own"
    )


def from_wire(kind: int) -> int:
    """Return the public code for a received handshake type of 1000 or more."""
    if kind == WIRE_FALLBACK:
        return int(RejectReason.PEER)
    if FIRST_PREDEFINED <= kind - WIRE_SHIFT <= LAST_PREDEFINED or kind - WIRE_SHIFT >= RejectReason.USER_DEFINED:
        return kind - WIRE_SHIFT
    return kind
