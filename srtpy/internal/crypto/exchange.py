"""How two ends come to the same first key in their handshake, or learn why not.

Lives here: what the initiator offers, how the responder answers, what the initiator makes of
the answer; the states either side is in afterwards.
Never here: the blocks these bodies travel in and when they do (handshake), keys that come
later (core), threads to derive keys on (session), where randomness comes from (the shell).
Draft: 6.1.5 "Key Material Exchange", 3.2.1.2 "Key Material Extension Message"; what happens
when passphrases do not match is libsrt's.

All are pure functions; randomness comes in as a verb.  What both ends end up with:

    passphrases          enforced by either        by neither: sending / receiving
    the same             secured                   secured
    different            BAD_SECRET refused        BAD_SECRET / BAD_SECRET          on both sides
    one side only        UNSECURE refused          NO_SECRET / UNSECURED            with the passphrase
                                                   UNSECURED / NO_SECRET            without
    none                 in clear                  in clear

A side with a passphrase never sends in clear: where nobody shares its key, nobody can read it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from srtpy.errors import RejectReason
from srtpy.internal.crypto.cipher import Suite
from srtpy.internal.crypto.keys import DEFAULT_KEY_SIZE, KEY_SIZES, Passphrase, SessionKeys
from srtpy.internal.crypto.keywrap import WrongPassphrase, make_message, read_message
from srtpy.internal.packet.header import MalformedPacket
from srtpy.internal.packet.keymaterial import (
    CIPHER_CTR,
    SALT_SIZE,
    KeyMaterial,
    KeyState,
    decode_state,
    encode_state,
)

Entropy: TypeAlias = Callable[[int], bytes]
"""Returns so many bytes that nobody can guess."""

DEFAULT_SUITE: Final = Suite(CIPHER_CTR)
NO_KEYS: Final = SessionKeys()
SIZE_STEP: Final = 8  # libsrt core.cpp CUDT::createSrtHandshake: a handshake's encryption field counts such steps


@dataclass(frozen=True, slots=True)
class Terms:
    """What one side brings: its settings, and nothing that has been agreed on.

    Attributes:
        passphrase: "" for none.
        key_size: bytes of a key; None: the other side's choice.
        cipher: CIPHER_CTR or CIPHER_GCM; None: the initiator's choice, which then is CTR.
        is_enforced: whether a connection without a common key is refused.
        version: our SRT version.
    """

    passphrase: str = field(default="", repr=False)
    key_size: int | None = None
    cipher: int | None = None
    is_enforced: bool = True
    version: int = 0


@dataclass(frozen=True, slots=True)
class Keying:
    """What a connection's keys begin with.

    Attributes:
        send_state, recv_state: how the two directions stand.
        is_enforced: whether the peer is told nothing about key material that cannot be used.
        suite: the cipher.
        passphrase: None if there is none; then nothing is sealed.
        salt: of the keys we send.
        send_keys: the one we seal with.
        recv_keys: those the peer seals with, as far as we know.
        message: the Key Material both have seen (before the answer: the one offered).
    """

    send_state: KeyState = KeyState.UNSECURED
    recv_state: KeyState = KeyState.UNSECURED
    is_enforced: bool = True
    suite: Suite = DEFAULT_SUITE
    passphrase: Passphrase | None = None
    salt: bytes = field(default=b"", repr=False)
    send_keys: SessionKeys = NO_KEYS
    recv_keys: SessionKeys = NO_KEYS
    message: bytes = field(default=b"", repr=False)

    @property
    def tag_size(self) -> int:
        """By how much sealing makes a payload longer."""
        return self.suite.tag_size if self.passphrase else 0

    @property
    def identity(self) -> bytes:
        """What tells the keys agreed on from all others, whatever else of their message was changed; b"": none."""
        return KeyMaterial.decode(self.message).wrapped if self.recv_keys else b""


@dataclass(frozen=True, slots=True)
class Objection:
    """Why there can be no connection: a public reject code, and words for people."""

    reason: int
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the responder says, and what it goes on with.

    Attributes:
        body: of the KMRSP block; b"": there is none.
    """

    body: bytes = field(repr=False)
    keying: Keying


# ---- the initiator ------------------------------------------------------------------------


def advertised_size(field_value: int) -> int | None:
    """Return the key size in a handshake's encryption field; None if it names none."""
    size = field_value * SIZE_STEP
    return size if size in KEY_SIZES else None


def size_field(terms: Terms) -> int:
    """Return a handshake's encryption field: a size is advertised only where one was chosen."""
    return (terms.key_size or 0) // SIZE_STEP if terms.passphrase else 0


def offered_size(terms: Terms, advertised: int | None, insists: bool = False) -> int:
    """Return the size of the initiator's keys.

    Where both sides have chosen, the responder's choice counts unless the initiator `insists`
    (libsrt: unless SRTO_SENDER is set).
    """
    if terms.key_size and (insists or not advertised):
        return terms.key_size
    return advertised or DEFAULT_KEY_SIZE


def offer(terms: Terms, size: int, entropy: Entropy) -> Keying:
    """Return what the initiator begins with; `message` goes into its KMREQ block, b"" means none."""
    if not terms.passphrase:
        return Keying(is_enforced=terms.is_enforced)
    secret = _own_key(terms, Suite(terms.cipher or CIPHER_CTR), size, entropy)
    passphrase = secret.passphrase
    assert passphrase is not None
    return replace(
        secret,
        send_state=KeyState.SECURING,
        recv_state=KeyState.SECURING,
        message=make_message(passphrase, secret.suite.cipher, secret.salt, secret.send_keys),
    )


def conclude(terms: Terms, offered: Keying, body: bytes | None, peer_version: int) -> Keying | Objection:
    """Return what the initiator goes on with after the answer in the KMRSP block; None if there was none."""
    if offered.message and body == offered.message:
        return replace(
            offered,
            send_state=KeyState.SECURED,
            recv_state=KeyState.SECURED,
            suite=Suite.between(offered.suite.cipher, terms.version, peer_version),
            recv_keys=offered.send_keys,
        )
    if body is None and not terms.passphrase:
        return offered
    said = _said(body)
    if said is KeyState.BAD_CRYPTO_MODE:
        return Objection(RejectReason.CRYPTO, "the peer encrypts in another mode: compare crypto_mode on both sides")
    if terms.passphrase and said not in (None, KeyState.UNSECURED, KeyState.NO_SECRET):
        if terms.is_enforced:
            return Objection(RejectReason.BAD_SECRET, "the peer's passphrase is not ours")
        return replace(offered, send_state=KeyState.BAD_SECRET, recv_state=KeyState.BAD_SECRET, message=b"")
    return _one_sided(terms, offered)


def _said(body: bytes | None) -> KeyState | None:
    """Return the state an answer tells; one that makes no sense counts as a wrong passphrase."""
    if body is None:
        return None
    try:
        return decode_state(body)
    except MalformedPacket:
        return KeyState.BAD_SECRET


# ---- the responder ------------------------------------------------------------------------


def respond(terms: Terms, body: bytes | None, peer_version: int, entropy: Entropy) -> Answer | Objection:
    """Answer the body of a KMREQ block; None if there was none.

    What costs nothing is checked first; a key is derived only for a body that may be in order.
    """
    if body is None:
        if not terms.passphrase:
            return Answer(b"", Keying(is_enforced=terms.is_enforced))
        return _settled(_one_sided(terms, _strangers_key(terms, entropy)), KeyState.UNSECURED)
    if not terms.passphrase:
        return _settled(_one_sided(terms, Keying(is_enforced=terms.is_enforced)), KeyState.NO_SECRET)
    try:
        material = KeyMaterial.decode(body)
    except MalformedPacket as error:
        return _settled(_mismatched(terms, f"key material that makes no sense: {error}", entropy), KeyState.BAD_SECRET)
    if terms.cipher not in (None, material.cipher):
        return Objection(RejectReason.CRYPTO, "the peer encrypts in another mode: compare crypto_mode on both sides")
    passphrase = Passphrase(terms.passphrase)
    try:
        keys = read_message(passphrase, material)
    except WrongPassphrase:
        return _settled(_mismatched(terms, "the peer's passphrase is not ours", entropy), KeyState.BAD_SECRET)
    keying = Keying(
        send_state=KeyState.SECURED,
        recv_state=KeyState.SECURED,
        is_enforced=terms.is_enforced,
        suite=Suite.between(material.cipher, terms.version, peer_version),
        passphrase=passphrase,
        salt=material.salt,
        send_keys=SessionKeys(even=keys.even) if keys.even else SessionKeys(odd=keys.odd),
        recv_keys=keys,
        message=body,
    )
    return Answer(body, keying)


def _settled(outcome: Keying | Objection, said: KeyState) -> Answer | Objection:
    return outcome if isinstance(outcome, Objection) else Answer(encode_state(said), outcome)


def _mismatched(terms: Terms, text: str, entropy: Entropy) -> Keying | Objection:
    """Return what comes of two passphrases that differ, for the responder."""
    if terms.is_enforced:
        return Objection(RejectReason.BAD_SECRET, text)
    key = _strangers_key(terms, entropy)
    return replace(key, send_state=KeyState.BAD_SECRET, recv_state=KeyState.BAD_SECRET)


# ---- both ---------------------------------------------------------------------------------


def _one_sided(terms: Terms, keying: Keying) -> Keying | Objection:
    """Return what comes of a passphrase on one side only, in either role."""
    if terms.passphrase:
        if terms.is_enforced:
            return Objection(RejectReason.UNSECURE, "a passphrase is set here, and the peer has none")
        return replace(keying, send_state=KeyState.NO_SECRET, recv_state=KeyState.UNSECURED, message=b"")
    if terms.is_enforced:
        return Objection(RejectReason.UNSECURE, "the peer encrypts, and no passphrase is set here")
    return replace(keying, send_state=KeyState.UNSECURED, recv_state=KeyState.NO_SECRET)


def _strangers_key(terms: Terms, entropy: Entropy) -> Keying:
    """Return a key that nobody else will know: better unreadable than in clear."""
    return _own_key(terms, Suite(terms.cipher or CIPHER_CTR), terms.key_size or DEFAULT_KEY_SIZE, entropy)


def _own_key(terms: Terms, suite: Suite, size: int, entropy: Entropy) -> Keying:
    return Keying(
        is_enforced=terms.is_enforced,
        suite=suite,
        passphrase=Passphrase(terms.passphrase),
        salt=entropy(SALT_SIZE),
        send_keys=SessionKeys(even=entropy(size)),
    )
