"""The peer's keys, and which of them opens which packet.

Lives here: the even and the odd key, the stretch of sequence numbers each has served, what
becomes of packets that none of them opens.
Never here: key material (keys.py), ciphers (crypto), our own keys (sealing.py).
Draft: 6.1.6 "KM Refresh", 6.3.2 "Decrypting the Payload".

A key serves one stretch of numbers: the peer turns from one to the other and does not come
back before it has announced a new key in the first one's place.  So the flag in a packet is not
the whole truth: an even packet from before the last turn but one wants the even key of that time,
and an even packet that is newer than the turn to odd, with no new even key announced, wants a
key that we do not know.  In counter mode nothing else would tell: it makes noise of what it opens
with the wrong key, and the application would get it.

What cannot be opened counts as never arrived.  So a gap shows and it is asked for again, which
is right where a key was late, and does no harm elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from srtpy.internal.crypto.cipher import PayloadCipher, Suite
from srtpy.internal.crypto.keys import SessionKeys
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import HEADER_SIZE, KEY_CLEAR, KEY_EVEN, KEY_MASK, KEY_ODD, RETRANSMITTED, Header
from srtpy.internal.seq.number import SEQ_HALF, SEQ_MASK, SequenceNumber, precedes

Payload: TypeAlias = bytes | None

MEMORY: Final = 1 << 20  # ours: packets after a turn that the keys before may be wanted for; more than any window
STRETCHES: Final = 4  # ours: keys kept, the one in use among them
INFORMATION_BYTE: Final = 4  # draft 3.1 "Data Packets": where in a packet PP, O, KK and R are
BYTE_SHIFT: Final = 24  # ours: from that byte to its place in the information word


def _bytes_with(flags: int, mask: int) -> bytes:
    """Return all values of the byte with the flags whose masked bits are `flags`."""
    return bytes([value for value in range(256) if (value << BYTE_SHIFT) & mask == flags])


_CLEAR: Final = _bytes_with(KEY_CLEAR, KEY_MASK)
_ANY: Final = {flag: _bytes_with(flag, KEY_MASK) for flag in (KEY_EVEN, KEY_ODD)}
_OTHER: Final = {KEY_EVEN: KEY_ODD, KEY_ODD: KEY_EVEN}
_FIRST_SENT: Final = {flag: _bytes_with(flag, KEY_MASK | RETRANSMITTED) for flag in (KEY_EVEN, KEY_ODD)}


class Key:
    """One key and its stretch of sequence numbers.

    Attributes:
        flag: what packets say that are sealed with it.
        secret, salt, cipher: the key.
        first: once it was seen: the lowest number it was seen on; until then: the lowest it can be used on.
        after: a number that its stretch lies behind; None where there is none to know.
    """

    __slots__ = ("after", "cipher", "first", "flag", "salt", "secret")

    def __init__(self, flag: int, secret: bytes, salt: bytes, cipher: PayloadCipher, first: SequenceNumber) -> None:
        self.flag = flag
        self.secret = secret
        self.salt = salt
        self.cipher = cipher
        self.first = first
        self.after: SequenceNumber | None = None

    def __repr__(self) -> str:
        return f"Key({'even' if self.flag == KEY_EVEN else 'odd'}, first={self.first})"


class Opening:
    """Opens what the peer has sealed.

    Attributes:
        undecrypted: packets that could not be opened: no key, a wrong one, or in clear where that is not allowed.
        undecrypted_bytes: the bytes of their payloads.
    """

    __slots__ = (
        "_coming",
        "_flags_resent",
        "_newest",
        "_plain",
        "_seen",
        "_suite",
        "undecrypted",
        "undecrypted_bytes",
    )

    def __init__(self, suite: Suite, keys: SessionKeys, salt: bytes, first: SequenceNumber, flags_resent: bool) -> None:
        """Begin with the keys of the handshake; without any, packets come in clear.

        `first` is the first number the peer sends, `flags_resent` whether it sets R on what it sends again.
        """
        self._suite = suite
        self._flags_resent = flags_resent
        self._seen: list[Key] = []  # in order of their stretches; the last is in use
        self._coming: dict[int, Key] = {}  # announced and not seen yet, by flag
        self._newest = (first - 1) & SEQ_MASK
        self._plain = _CLEAR
        self.undecrypted = 0
        self.undecrypted_bytes = 0
        if keys:
            self.install(keys, salt)
            self._turn(self._coming[KEY_EVEN if keys.even else KEY_ODD], first)

    def __repr__(self) -> str:
        return f"Opening({len(self._seen)} keys seen, {len(self._coming)} to come)"

    @property
    def is_secured(self) -> bool:
        """Whether there are keys: then nothing in clear is taken."""
        return bool(self._seen or self._coming)

    # ---- keys ------------------------------------------------------------------------------

    def install(self, keys: SessionKeys, salt: bytes) -> None:
        """Take the keys of a message; those that are known stay as they are."""
        offered = ((KEY_EVEN, keys.even), (KEY_ODD, keys.odd))
        fresh = [(flag, key) for flag, key in offered if key and not self._knows(flag, key, salt)]
        behind = (self._newest + 1) & SEQ_MASK
        if len(fresh) == 1 and self._seen and self._seen[-1].flag == fresh[0][0]:
            # the key we know the peer by is replaced: it has turned to the other, and we have seen nothing of that
            unseen = self._coming.get(_OTHER[fresh[0][0]])
            if unseen is not None:
                self._turn(unseen, behind)
        for flag, key in fresh:
            in_use = self._seen[-1] if self._seen else None
            first = behind if in_use is None or in_use.flag == flag else in_use.first
            self._coming[flag] = Key(flag, key, salt, self._suite.make(key, salt), first)
        self._recognise()

    def is_foreign(self, salt: bytes) -> bool:
        """Say whether key material with this salt is another session's.

        Nobody changes the salt of a session (libsrt hcryptCtx_Tx_Refresh "Keep same KEK, configuration, and salt").
        Key material of another session with the same passphrase unwraps: somebody who has recorded it could make
        us open the peer's packets with its key, or take what was said in that session for what is said in this.
        And half of the salt is in no wrapping: it can be changed in what was recorded of this one.
        """
        return any(key.salt != salt for key in (*self._seen[-1:], *self._coming.values()))

    def _knows(self, flag: int, secret: bytes, salt: bytes) -> bool:
        known = self._coming.get(flag) or next((key for key in reversed(self._seen) if key.flag == flag), None)
        return known is not None and (known.secret, known.salt) == (secret, salt)

    def _turn(self, key: Key, seq: SequenceNumber) -> None:
        """Note that the peer uses this key from `seq` on, as far as we know."""
        del self._coming[key.flag]
        if self._seen:
            key.after = key.first
        key.first = seq
        self._seen = [*self._seen[-STRETCHES + 1 :], key]
        self._recognise()

    def _recognise(self) -> None:
        """Decide which values of the byte with the flags mean: the key in use, without a doubt."""
        if not self._seen:
            self._plain = b"" if self._coming else _CLEAR
            return
        flag = self._seen[-1].flag
        if flag in self._coming:
            self._plain = b""
        elif flag in [key.flag for key in self._seen[:-1]]:
            self._plain = _FIRST_SENT[flag] if self._flags_resent else b""
        else:
            self._plain = _ANY[flag]

    def _forget(self) -> None:
        """Let go of keys that nothing can want any more; the numbers of one go half the round before it is compared."""
        in_use = self._seen[-1]
        self._seen = [in_use]
        in_use.after = None
        for key in (in_use, *self._coming.values()):
            key.first = self._newest
        self._recognise()

    # ---- packets ---------------------------------------------------------------------------

    def open(self, batch: Batch) -> Sequence[Payload] | None:
        """Return the payloads of data packets, None in the place of each that cannot be opened.

        Returns None as a whole where all packets came in clear and may.
        """
        kinds = batch.data[INFORMATION_BYTE :: batch.stride]
        if kinds.translate(None, self._plain):
            return self._open_each(batch)
        if not self._seen:
            return None
        headers = batch.headers
        in_use = self._seen[-1]
        self._note(headers[-1][0])
        if MEMORY < (self._newest - in_use.first) & SEQ_MASK < SEQ_HALF:
            self._forget()
        opened = in_use.cipher.open(headers, batch.payloads())
        if in_use.cipher.may_fail and None in opened:
            self._count(batch, opened)
        return opened

    def _open_each(self, batch: Batch) -> list[Payload]:
        """Open packets one by one: the complete definition of `open`."""
        opened = [
            self._open_one(header, payload) for header, payload in zip(batch.headers, batch.payloads(), strict=True)
        ]
        if self._seen and MEMORY < (self._newest - self._seen[-1].first) & SEQ_MASK < SEQ_HALF:
            self._forget()
        self._count(batch, opened)
        return opened

    def _open_one(self, header: Header, payload: bytes) -> Payload:
        seq, info, _, _ = header
        flag = info & KEY_MASK
        if not self.is_secured:
            return None if flag else payload
        key = self._choose(flag, seq)
        if key is None:
            return None
        opened = key.cipher.open((header,), (payload,))[0]
        if opened is not None:
            if key is self._coming.get(flag):
                self._turn(key, seq)
            elif precedes(seq, key.first):
                key.first = seq
            self._note(seq)
        return opened

    def _choose(self, flag: int, seq: SequenceNumber) -> Key | None:
        """Return the key a packet was sealed with, None if that is not known."""
        coming = self._coming.get(flag)
        if coming is not None and not precedes(seq, coming.first):
            return coming
        end: SequenceNumber | None = None
        for key in reversed(self._seen):
            if (
                key.flag == flag
                and (end is None or precedes(seq, end))
                and (key.after is None or not precedes(seq, key.after))
            ):
                return key
            end = key.first
        return None

    def _note(self, seq: SequenceNumber) -> None:
        """Note the newest number; one that is far away from it is none of the peer's."""
        if (seq - self._newest) & SEQ_MASK < MEMORY:
            self._newest = seq

    def _count(self, batch: Batch, opened: Sequence[Payload]) -> None:
        lost = [place for place, payload in enumerate(opened) if payload is None]
        self.undecrypted += len(lost)
        last = batch.count - 1
        short = len(batch.data) - last * batch.stride
        sizes = [short if place == last else batch.stride for place in lost]
        self.undecrypted_bytes += sum(sizes) - HEADER_SIZE * len(lost)
