"""Our own keys: which is in use, when the next one is due, when the last one is forgotten.

Lives here: sealing runs, counting packets, the turn from one key to the next, the message
that announces it.
Never here: sending the message and repeating it (keys.py), ciphers (crypto), the peer's keys
(opening.py), sealed packets waiting for their acknowledgement (buffer/send.py).
Draft: 6.1.6 "KM Refresh"; counted as libsrt's hcryptCtx_Tx_ManageKM does.

By the count of packets sealed with the key in use (1 before the first packet of the
connection, 0 before the first of each later key):

    count > refresh - pre_announce   a new key is made and announced, beside the one in use
    count > refresh                  the new key is used, once the peer knows it
    count > pre_announce             the old one is forgotten

Two things libsrt does otherwise wait for the peer here; neither keeps data from leaving.
The turn waits for the answer to the announcement: libsrt turns in any case, and where the way is long
or the announcement is lost, its peer drops what it cannot open yet.  And a new key is not announced
before the peer has acknowledged all that was sealed with the key it takes the place of: a receiver
that replaces the key makes noise of an old packet that is sent again.

The handshake's key is the initiator's: both ends begin with it, and with the same sequence number.  In AES-GCM
that is fatal where both send, for nonces repeat: whoever sees it can forge packets.  So a responder there announces
a key of its own as soon as it hears of the peer, and turns when the peer has it.  Not so to peers before libsrt
1.5.4, whose nonces repeat anyway, and in counter mode, where every peer of any make would have to live
with it: see SECURITY.md.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from srtpy.internal.crypto.cipher import Run
from srtpy.internal.crypto.exchange import Entropy, Keying
from srtpy.internal.crypto.keys import SessionKeys
from srtpy.internal.crypto.keywrap import make_message
from srtpy.internal.packet.header import KEY_EVEN, KEY_ODD, SocketId
from srtpy.internal.seq.number import SEQ_MASK, SequenceNumber, precedes

DEFAULT_REFRESH: Final = 1 << 24  # libsrt haicrypt.h HAICRYPT_DEF_KM_REFRESH_RATE: packets
DEFAULT_PRE_ANNOUNCE: Final = 1 << 16  # libsrt haicrypt.h SRT_CRYPT_KM_PRE_ANNOUNCE: packets
# ours: half the circle of sequence numbers; beyond the whole of it a key would meet the same counters again
LONGEST_USE: Final = 1 << 30  # ours: see above; holds where nothing else limits a key's use
LONGEST_WAIT: Final = 1 << 20  # ours: packets a new key waits for acknowledgements; more than any window
NOT_YET: Final = 1 << 62  # ours: a count that is not reached


class Spare(Enum):
    """What the key is that is not in use."""

    NONE = auto()
    ANNOUNCED = auto()
    READY = auto()
    OLD = auto()


def pre_announce_for(refresh: int, wanted: int | None) -> int:
    """Return how many packets before the turn a key is announced: at most half of its life, as libsrt has it."""
    longest = max((refresh - 1) // 2, 0)
    return min(DEFAULT_PRE_ANNOUNCE if wanted is None else wanted, longest)


class Sealing:
    """Seals what leaves for the first time.

    Attributes:
        message: the last announcement made; b"" before the first.
    """

    __slots__ = (
        "_acknowledged",
        "_cipher",
        "_count",
        "_entropy",
        "_flag",
        "_is_borrowed",
        "_keying",
        "_keys",
        "_last_old",
        "_peer",
        "_pre",
        "_refresh",
        "_spare",
        "_turn_at",
        "message",
    )

    def __init__(
        self,
        keying: Keying,
        peer: SocketId,
        first: SequenceNumber,
        entropy: Entropy,
        refresh: int,
        pre_announce: int | None,
        *,
        is_borrowed: bool = False,
    ) -> None:
        """Begin with the key of the handshake.

        `first` is the first sequence number, `refresh` how many packets a key is used for; 0: as long as is safe.
        `is_borrowed` says that the key is the peer's, and to be exchanged for one of our own.
        """
        self._keying = keying
        self._peer = peer
        self._entropy = entropy
        self._refresh = min(refresh or LONGEST_USE, LONGEST_USE)
        self._pre = pre_announce_for(self._refresh, pre_announce)
        self._keys = keying.send_keys
        self._flag = KEY_EVEN if self._keys.even else KEY_ODD
        self._cipher = keying.suite.make(self._keys.even or self._keys.odd, keying.salt, peer)
        self._count = 1
        self._spare = Spare.NONE
        self._acknowledged = first
        self._last_old = (first - 1) & SEQ_MASK
        self.message = b""
        self._turn_at = 0
        self._is_borrowed = is_borrowed
        self._plan()

    def __repr__(self) -> str:
        return f"Sealing(<key>, count={self._count}, spare={self._spare.name})"

    def seal(self, first: SequenceNumber, run: Run) -> Run:
        """Encrypt packets before they leave for the first time; the result is what a resend repeats."""
        count = self._count + len(run)
        if count <= self._turn_at:
            self._count = count
            return self._cipher.seal(first, run, self._flag)
        sealed: Run = []
        while len(sealed) < len(run):
            done = len(sealed)
            seq = (first + done) & SEQ_MASK
            if self._count >= self._turn_at:
                self._change(seq)
            part = run[done : done + max(self._turn_at - self._count, 1)]
            sealed += self._cipher.seal(seq, part, self._flag)
            self._count += len(part)
        return sealed

    @property
    def wants_own(self) -> bool:
        """Whether the key in use is the peer's, and none of our own is announced."""
        return self._is_borrowed and self._spare is Spare.NONE

    def announce_own(self) -> None:
        """Make a key of our own, to be used as soon as the peer has it."""
        self._announce_next()
        self._plan()

    def note_known(self) -> None:
        """Learn that the peer has the announced key."""
        if self._spare is Spare.ANNOUNCED:
            self._spare = Spare.READY
            self._plan()

    def note_unanswered(self) -> None:
        """Learn that the peer will never say so: the next key is used in its time, for none can be used for ever."""
        self._is_borrowed = False
        self.note_known()

    def note_acknowledged(self, seq: SequenceNumber) -> None:
        """Learn that the peer has everything before `seq`."""
        if precedes(self._acknowledged, seq):
            self._acknowledged = seq
            if self._spare is Spare.NONE:
                self._plan()

    @property
    def _is_old_acknowledged(self) -> bool:
        return precedes(self._last_old, self._acknowledged)

    def _plan(self) -> None:
        """Set the count at which there is something to change."""
        if self._spare is Spare.OLD:
            self._turn_at = self._pre + 1
        elif self._spare is Spare.READY:
            self._turn_at = self._count if self._is_borrowed else self._refresh + 1
        elif self._spare is Spare.ANNOUNCED:
            self._turn_at = NOT_YET
        elif self._is_old_acknowledged:
            self._turn_at = self._refresh - self._pre + 1
        else:
            self._turn_at = self._refresh + LONGEST_WAIT

    def _change(self, seq: SequenceNumber) -> None:
        """Do what is due before `seq` is sealed."""
        if self._spare is Spare.READY:
            self._use_next(seq)
        elif self._spare is Spare.OLD:
            self._forget_old()
        else:
            self._announce_next()
        self._plan()

    def _use_next(self, seq: SequenceNumber) -> None:
        self._flag = KEY_EVEN + KEY_ODD - self._flag
        self._cipher = self._keying.suite.make(self._key_in_use, self._keying.salt, self._peer)
        self._last_old = (seq - 1) & SEQ_MASK
        self._is_borrowed = False
        self._count = 0
        self._spare = Spare.OLD

    def _forget_old(self) -> None:
        self._keys = self._both(self._key_in_use, b"")
        self._spare = Spare.NONE

    def _announce_next(self) -> None:
        passphrase = self._keying.passphrase
        assert passphrase is not None, "without one nothing is sealed"
        self._keys = self._both(self._key_in_use, self._entropy(len(self._key_in_use)))
        self.message = make_message(passphrase, self._keying.suite.cipher, self._keying.salt, self._keys)
        self._spare = Spare.ANNOUNCED

    @property
    def _key_in_use(self) -> bytes:
        return self._keys.even if self._flag == KEY_EVEN else self._keys.odd

    def _both(self, in_use: bytes, other: bytes) -> SessionKeys:
        return SessionKeys(in_use, other) if self._flag == KEY_EVEN else SessionKeys(other, in_use)
