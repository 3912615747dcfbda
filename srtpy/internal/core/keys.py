"""The keys of both directions: changing ours, following the peer's, and never going back.

Lives here: the states of the two directions, announcing a key until the peer confirms it,
answering the peer's announcements; which of them are worth looking at.
Never here: when our keys change (sealing.py), which key opens a packet (opening.py), how
keys are wrapped (crypto), the first key (handshake, with crypto/exchange.py).
Draft: 6.1.5 "Key Material Exchange", 6.1.6 "KM Refresh"; libsrt crypto.cpp.

A secured direction stays secured: whatever a peer, or somebody in its name, says later, it is
not taken back.  Each announcement is answered once and for all: a copy of it gets the same
answer and changes nothing, however late it comes; so does one of our own that comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND, Micros
from srtpy.internal.core.opening import Opening, Payload
from srtpy.internal.core.outbox import Outbox
from srtpy.internal.core.roundtrip import RoundTrip
from srtpy.internal.core.sealing import DEFAULT_REFRESH, Sealing
from srtpy.internal.crypto.cipher import Run
from srtpy.internal.crypto.exchange import Entropy, Keying
from srtpy.internal.crypto.keywrap import WrongPassphrase, read_message
from srtpy.internal.handshake.answers import Allowance
from srtpy.internal.handshake.negotiation import Negotiated
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.handshake import ExtensionKind
from srtpy.internal.packet.header import ControlType
from srtpy.internal.packet.keymaterial import CIPHER_GCM, KeyMaterial, KeyState, decode_state, encode_state
from srtpy.internal.seq.number import SequenceNumber

AT_ONCE: Final[Micros] = 0  # ours: a deadline that has passed on every clock
SHORTEST_REPEAT: Final[Micros] = (
    10 * MILLISECOND
)  # libsrt core.cpp checkTimers: how often it looks (COMM_SYN_INTERVAL_US)
EAGER_SENDS: Final = 11  # libsrt crypto.h SRT_MAX_KMRETRY: once, and ten more times
PATIENT_REPEAT: Final[Micros] = SECOND  # ours: libsrt gives up; we ask until there is an answer, but seldom
MESSAGES_PER_SECOND: Final = 500  # ours: announcements looked at; an honest peer makes a few and says each again
MESSAGE_BURST: Final = 50  # ours: and so many at once
DERIVATIONS_PER_SECOND: Final = 2  # ours: of which with a new salt, half a millisecond each; libsrt keeps its salt
DERIVATION_BURST: Final = 4  # ours: and so many at once
REMEMBERED: Final = 2048  # ours: announcements known by heart, the peer's and ours: old ones come back from others only

_REFUSALS: Final = {KeyState.NO_SECRET, KeyState.BAD_SECRET, KeyState.BAD_CRYPTO_MODE}


class Keys:
    """Both directions' keys.

    Attributes:
        deadline: when an announcement of ours is to be said (again).
        send_state, recv_state: how the two directions stand.
        opening: what has arrived and could not be opened.
        sent_km, recv_km: key material sent (announcements) and received (announcements and answers).
        ignored_km: of what was received, what made no sense or could not be true.
    """

    def __init__(
        self,
        keying: Keying,
        negotiated: Negotiated,
        outbox: Outbox,
        round_trip: RoundTrip,
        entropy: Entropy,
        now: Micros,
        *,
        refresh: int = DEFAULT_REFRESH,
        pre_announce: int | None = None,
    ) -> None:
        """Begin with what the handshake came to; see `Sealing` for `refresh` and `pre_announce`."""
        self.deadline: Micros = NEVER
        self.send_state = keying.send_state
        self.recv_state = keying.recv_state
        self.opening = Opening(
            keying.suite, keying.recv_keys, keying.salt, negotiated.recv_isn, negotiated.peer_retransmit_flag
        )
        self.sent_km = self.recv_km = self.ignored_km = 0
        self._keying = keying
        self._outbox = outbox
        self._round_trip = round_trip
        self._sends = 0
        self._known: dict[bytes, bytes] = {keying.message: keying.message} if keying.message else {}
        self._messages = Allowance(MESSAGES_PER_SECOND, MESSAGE_BURST, now)
        self._derivations = Allowance(DERIVATIONS_PER_SECOND, DERIVATION_BURST, now)
        self._sealing: Sealing | None = None
        if keying.passphrase:
            # a libsrt 1.5.3 that has not received data yet can open nothing any more once it is told of another key
            bears_it = keying.suite.cipher != CIPHER_GCM or keying.suite.is_old
            is_borrowed = self.send_state is KeyState.SECURED and not (negotiated.initiator or bears_it)
            peer, isn = negotiated.peer_socket_id, negotiated.send_isn
            self._sealing = Sealing(keying, peer, isn, entropy, refresh, pre_announce, is_borrowed=is_borrowed)

    # ---- data ------------------------------------------------------------------------------

    @property
    def seals(self) -> bool:
        """Whether what we send is encrypted: then `seal` is the sender's."""
        return self._sealing is not None

    @property
    def tag_size(self) -> int:
        """By how much sealing makes a payload longer."""
        return self._keying.tag_size

    @property
    def key_size(self) -> int:
        """Bytes of the key we seal with; 0 where nothing is sealed."""
        keys = self._keying.send_keys
        return len(keys.even or keys.odd) if self.seals else 0

    @property
    def cipher(self) -> int:
        """The cipher, as key material names it; 0 where nothing is sealed."""
        return self._keying.suite.cipher if self.seals else 0

    def counts(self) -> dict[str, int]:
        """Return what has been counted, by names that go with those of `Counters`."""
        return {
            "sent_km": self.sent_km,
            "recv_km": self.recv_km,
            "ignored_km": self.ignored_km,
            "recv_undecrypt": self.opening.undecrypted,
            "recv_undecrypt_bytes": self.opening.undecrypted_bytes,
        }

    def seal(self, first: SequenceNumber, run: Run) -> Run:
        """Encrypt consecutive packets before they leave for the first time."""
        sealing = self._sealing
        assert sealing is not None, "asked for where `seals` is true"
        before = sealing.message
        sealed = sealing.seal(first, run)
        if sealing.message is not before:
            self._announce(sealing)
        return sealed

    def _announce_own(self, sealing: Sealing) -> None:
        sealing.announce_own()
        self._announce(sealing)

    def _announce(self, sealing: Sealing) -> None:
        self._sends = 0
        self.deadline = AT_ONCE
        self._remember(sealing.message, b"")

    def open(self, batch: Batch) -> Sequence[Payload] | None:
        """Return data packets' payloads in clear, None for each that cannot be opened; None as a whole: as they are."""
        sealing = self._sealing
        if sealing is not None and sealing.wants_own:
            self._announce_own(sealing)
        return self.opening.open(batch)

    def acknowledged(self, seq: SequenceNumber) -> None:
        """Learn that the peer has everything before `seq`."""
        sealing = self._sealing
        if sealing is not None:
            if sealing.wants_own:
                self._announce_own(sealing)
            sealing.note_acknowledged(seq)

    # ---- our announcements -----------------------------------------------------------------

    def on_deadline(self, now: Micros) -> None:
        """Announce our next key, again where there was no answer."""
        sealing = self._sealing
        assert sealing is not None, "only announcements have a deadline"
        self._outbox.control(ControlType.USER_DEFINED, 0, sealing.message, now, ExtensionKind.KMREQ)
        self.sent_km += 1
        self._sends += 1
        is_eager = self._sends <= EAGER_SENDS
        # libsrt crypto.cpp sendKeysToPeer: one and a half round trips
        self.deadline = now + max(3 * self._round_trip.smoothed // 2, SHORTEST_REPEAT if is_eager else PATIENT_REPEAT)
        if not is_eager:
            sealing.note_unanswered()

    def answered(self, body: bytes, now: Micros) -> None:
        """Take in the peer's answer to an announcement (KMRSP).

        Raises:
            MalformedPacket: it is neither key material nor a state.
        """
        self.recv_km += 1
        sealing = self._sealing
        if sealing is not None and self.deadline != NEVER and body == sealing.message:
            self.send_state = KeyState.SECURED
            self._settle(sealing)
        elif len(body) != len(encode_state(KeyState.SECURED)):
            KeyMaterial.decode(body)
            self.ignored_km += 1
        else:
            self._told(decode_state(body))

    def _told(self, state: KeyState) -> None:
        """Hear that the peer cannot use our key: believed only where it is no news."""
        sealing = self._sealing
        if sealing is None or self.send_state is KeyState.SECURED or self.deadline == NEVER or state not in _REFUSALS:
            self.ignored_km += 1
            return
        self.send_state = state
        self._settle(sealing)

    def _settle(self, sealing: Sealing) -> None:
        self.deadline = NEVER
        sealing.note_known()

    # ---- the peer's announcements ----------------------------------------------------------

    def requested(self, body: bytes, now: Micros) -> None:
        """Take in the peer's announcement of a key, and answer (KMREQ).

        Raises:
            MalformedPacket: it is no key material.
        """
        self.recv_km += 1
        answer = self._known.get(body)
        if answer is None:
            answer = self._judge(KeyMaterial.decode(body), body, now)
        elif not self._messages.take(now):
            answer = b""
        if answer:
            self._outbox.control(ControlType.USER_DEFINED, 0, answer, now, ExtensionKind.KMRSP)
        else:
            self.ignored_km += 1

    def _judge(self, material: KeyMaterial, body: bytes, now: Micros) -> bytes:
        """Return the answer to an announcement that is new; b"" for none.  Cheap checks come first."""
        is_foreign = self.opening.is_foreign(material.salt)
        if (is_foreign and self._keying.is_enforced) or not self._messages.take(now):
            return b""  # what is another session's keeps out none of the peer's own
        passphrase = self._keying.passphrase
        if passphrase is None:
            return self._refused(KeyState.NO_SECRET)
        if material.cipher != self._keying.suite.cipher:
            return self._refused(KeyState.BAD_CRYPTO_MODE)
        if is_foreign:
            return self._refused(KeyState.BAD_SECRET)
        if not passphrase.has_derived(material.salt, material.key_size) and not self._derivations.take(now):
            return b""
        try:
            keys = read_message(passphrase, material)
        except WrongPassphrase:
            return self._refused(KeyState.BAD_SECRET)
        self.opening.install(keys, material.salt)
        self.recv_state = KeyState.SECURED
        self._remember(body, body)
        return body

    def _refused(self, state: KeyState) -> bytes:
        """Return what to say to key material that cannot be used: nothing where keys are demanded, as libsrt."""
        if self.recv_state is not KeyState.SECURED and self._keying.passphrase is not None:
            self.recv_state = state
        return b"" if self._keying.is_enforced else encode_state(state)

    def _remember(self, message: bytes, answer: bytes) -> None:
        if len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[message] = answer
