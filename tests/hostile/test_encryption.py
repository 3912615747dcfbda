"""Rows 3, 8 and 9 where there are keys, the known vulnerabilities about them, and floods of wrong passphrases."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import srtpy
from srtpy.config import Config
from srtpy.errors import RejectReason
from srtpy.internal.core.agreeing import Initiating
from srtpy.internal.crypto.keys import Passphrase, SessionKeys
from srtpy.internal.crypto.keywrap import make_message
from srtpy.internal.packet.handshake import Extension, ExtensionKind
from srtpy.internal.packet.header import ControlType, pack_control_header
from srtpy.internal.packet.keymaterial import CIPHER_CTR, CIPHER_GCM, KeyState, encode_state
from tests.hostile.mutation import Mutator
from tests.hostile.peers import SINGLE, Footprint, MadPeer, Stranger, conclusion, streams
from tests.internal.handshake.doorman import settings_block
from tests.internal.session.fakes import until
from tests.sealed import sealed as sealed_by

PASSPHRASE = "0123456789ab"
KEYED = Config(passphrase=PASSPHRASE, latency=0.06, linger=0.0)
EVEN, ODD, BOTH = 1 << 27, 2 << 27, 3 << 27


@pytest.fixture
def keyed() -> Iterator[srtpy.Listener]:
    with srtpy.listen(("127.0.0.1", 0), KEYED) as listener:
        listener.settimeout(30)
        yield listener


@pytest.fixture
def derivations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the threads on which keys were derived, as they were."""
    seen: list[str] = []
    real = hashlib.pbkdf2_hmac

    def derive(*recipe: Any) -> bytes:
        seen.append(threading.current_thread().name)
        return real(*recipe)

    monkeypatch.setattr(hashlib, "pbkdf2_hmac", derive)
    return seen


def offered(passphrase: str = PASSPHRASE) -> bytes:
    return Initiating(Config(passphrase=passphrase), random.Random(1).randbytes).offer(0)


MATERIAL, WRONG = offered(), offered("another passphrase")


def keyed_conclusion(cookie: int, socket_id: int = 4711, body: bytes = MATERIAL) -> bytes:
    blocks = (settings_block(), Extension(ExtensionKind.KMREQ, body))
    return conclusion(cookie, socket_id, extension=3, extensions=blocks)


def extension(peer: MadPeer, kind: int, body: bytes) -> bytes:
    return pack_control_header(ControlType.USER_DEFINED, 0, peer.stamp, peer.peer_id, kind) + body


def states(conn: srtpy.Conn) -> tuple[int, int]:
    stats = conn.stats()
    return stats.snd_km_state, stats.rcv_km_state


def assert_talks(conn: srtpy.Conn, peer: MadPeer, number: int = 0) -> None:
    """Have the peer send one good packet, and read it."""
    keying = peer.keys.keying
    seq = int.from_bytes(peer.packet(number, b"")[:4], "big")
    info, stamp = SINGLE | number + 1, peer.stamp
    cipher = keying.suite.make(keying.send_keys.even, keying.salt)
    [(_, info, _, sealed)] = sealed_by(cipher.seal, [(seq, info, stamp, b"good")], EVEN)
    head = seq.to_bytes(4, "big") + info.to_bytes(4, "big") + stamp.to_bytes(4, "big") + peer.peer_id.to_bytes(4, "big")
    peer.send(head + sealed)
    conn.settimeout(30)
    assert conn.read() == b"good"


# ---- row 3


def test_row_03_keys_offered_with_a_cookie_of_somebody_else_cost_no_derivation(
    keyed: srtpy.Listener, derivations: list[str]
) -> None:
    with Stranger(keyed.local_addr) as one, Stranger(keyed.local_addr) as other:
        cookie = one.cookie()
        for wrong in (cookie, 0, cookie ^ 1):
            assert other.answers(keyed_conclusion(wrong)) == []
    assert derivations == []


def test_row_03_a_replayed_conclusion_derives_once(keyed: srtpy.Listener, derivations: list[str]) -> None:
    with Stranger(keyed.local_addr) as one:
        request = keyed_conclusion(one.cookie())
        first = one.answer(request)
        answers = one.answers(*[request] * 50)
        assert all(answer[16:] == first[16:] for answer in answers)
    assert len(derivations) == 1
    assert derivations[0].startswith("srt-keys-")
    keyed.accept().close()


# ---- row 8

BAD_BODIES = {
    "empty": b"",
    "three bytes": MATERIAL[:3],
    "seven bytes": MATERIAL[:7],
    "cut": MATERIAL[:-4],
    "four bytes more": MATERIAL + bytes(4),
    "as long as a packet": MATERIAL + bytes(1300),
    "no version": bytes([0]) + MATERIAL[1:],
    "another signature": MATERIAL[:1] + b"\x20\x30" + MATERIAL[3:],
    "no key": MATERIAL[:3] + bytes([MATERIAL[3] & ~3]) + MATERIAL[4:],
    "both keys, one there": MATERIAL[:3] + bytes([MATERIAL[3] | 3]) + MATERIAL[4:],
    "another cipher": MATERIAL[:8] + bytes([9]) + MATERIAL[9:],
    "salt of no length": MATERIAL[:14] + bytes([0]) + MATERIAL[15:],
    "key of no length": MATERIAL[:15] + bytes([0]) + MATERIAL[16:],
    "key of 255 words": MATERIAL[:15] + bytes([255]) + MATERIAL[16:],
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_row_08_key_material_that_makes_no_sense_is_refused_unread(
    keyed: srtpy.Listener, derivations: list[str], name: str
) -> None:
    with Stranger(keyed.local_addr) as one:
        body = BAD_BODIES[name]
        request = keyed_conclusion(one.cookie(), body=body + bytes(-len(body) % 4))
        answer = one.answer(request)
        assert int.from_bytes(answer[36:40], "big") in (RejectReason.BAD_SECRET, RejectReason.ROGUE)
        assert len(answer) <= len(request)
    assert derivations == []


@pytest.mark.parametrize("kind", [ExtensionKind.KMREQ, ExtensionKind.KMRSP])
def test_row_08_on_a_live_connection_it_changes_nothing(keyed: srtpy.Listener, kind: int) -> None:
    with MadPeer(keyed.local_addr, KEYED) as peer, keyed.accept() as conn:
        for body in BAD_BODIES.values():
            peer.send(extension(peer, kind, body))
        for state in KeyState:
            peer.send(extension(peer, kind, encode_state(state)))
        assert_talks(conn, peer)
        assert states(conn) == (2, 2)
        assert conn.stats().recv_km == len(BAD_BODIES) + len(KeyState)


def test_row_08_announcements_without_end_cost_a_few_derivations(keyed: srtpy.Listener, derivations: list[str]) -> None:
    """With every packet another key, another salt: what is looked at is limited by the second."""
    with MadPeer(keyed.local_addr, KEYED) as peer, keyed.accept() as conn:
        chance = random.Random(8)
        del derivations[:]
        before, began = Footprint.now(), time.monotonic()
        salts = [chance.randbytes(16) for _ in range(500)]
        bodies = [MATERIAL[:16] + salt + chance.randbytes(len(MATERIAL) - 32) for salt in salts]
        for body in bodies:
            peer.send(extension(peer, ExtensionKind.KMREQ, body))
        until(lambda: conn.stats().recv_km >= 400)
        assert len(derivations) <= 20 * (1 + time.monotonic() - began)
        assert_talks(conn, peer)
        before.assert_not_outgrown(8)


def test_row_08_a_key_in_another_mode_or_of_another_passphrase_is_not_taken(keyed: srtpy.Listener) -> None:
    with MadPeer(keyed.local_addr, KEYED) as peer, keyed.accept() as conn:
        salt = peer.keys.keying.salt
        for passphrase, cipher in (("another passphrase", CIPHER_CTR), (PASSPHRASE, CIPHER_GCM)):
            body = make_message(Passphrase(passphrase), cipher, salt, SessionKeys(odd=bytes(16)))
            peer.send(extension(peer, ExtensionKind.KMREQ, body))
        assert_talks(conn, peer)
        assert states(conn) == (2, 2)


@pytest.mark.parametrize("seed", range(4))
def test_row_08_damaged_key_material_on_a_live_connection(keyed: srtpy.Listener, seed: int) -> None:
    with MadPeer(keyed.local_addr, KEYED) as peer, keyed.accept() as conn:
        chance = random.Random(seed)
        for _ in range(300):
            body = bytearray(chance.choice([peer.keys.keying.message, WRONG]))
            for _ in range(chance.randint(1, 4)):
                body[chance.randrange(len(body))] = chance.randrange(256)
            cut = bytes(body[: chance.choice([len(body), chance.randrange(len(body) + 1)])])
            peer.send(extension(peer, chance.choice([ExtensionKind.KMREQ, ExtensionKind.KMRSP]), cut))
        assert_talks(conn, peer)
        assert states(conn) == (2, 2)


def variants(body: bytes) -> dict[str, bytes]:
    """Return key material as it was recorded, and changed where no wrapping vouches for it."""
    return {
        "as it was": body,
        "another salt, as far as it goes": body[:16] + bytes([body[16] ^ 1]) + body[17:],
        "another name for the wrapping key": body[:4] + b"\0\0\0\1" + body[8:],
        "as the odd key": body[:3] + bytes([ODD >> 27]) + body[4:],
    }


@pytest.mark.parametrize("is_over", [False, True], ids=["lives", "is over"])
def test_row_08_key_material_of_another_connection_opens_none(keyed: srtpy.Listener, is_over: bool) -> None:
    """Recorded by somebody who does not know the passphrase, and sent with a cookie of his own.

    He could not read what we send him; but with the first number of then we would send other words under the
    same keystream, and what was recorded then could be sent to us again.
    """
    with MadPeer(keyed.local_addr, KEYED) as peer, Stranger(keyed.local_addr, "127.0.0.66") as thief:
        recorded = peer.keys.keying.message
        with keyed.accept() as conn:
            if is_over:
                conn.close()
            for number, body in enumerate(variants(recorded).values()):
                answer = thief.answer(keyed_conclusion(thief.cookie(), 5000 + number, body))
                assert int.from_bytes(answer[36:40], "big") == RejectReason.BAD_SECRET
            if not is_over:
                assert_talks(conn, peer)
    with srtpy.dial(keyed.local_addr, KEYED), keyed.accept() as conn:
        assert states(conn) == (2, 2)


def test_row_08_key_material_of_another_session_is_not_taken_on_a_live_connection(
    keyed: srtpy.Listener, derivations: list[str]
) -> None:
    with MadPeer(keyed.local_addr, KEYED) as peer, keyed.accept() as conn:
        del derivations[:]
        for body in variants(MATERIAL).values():
            peer.send(extension(peer, ExtensionKind.KMREQ, body))
        assert_talks(conn, peer)
        assert states(conn) == (2, 2)
        assert derivations == []


# ---- row 9


@pytest.mark.parametrize("flag", [0, ODD, BOTH])
def test_row_09_what_no_key_opens_is_dropped_and_counted_on_a_secured_connection(
    keyed: srtpy.Listener, flag: int
) -> None:
    with MadPeer(keyed.local_addr, KEYED) as peer, keyed.accept() as conn:
        for _ in range(20):
            packet = bytearray(peer.packet(0, b"slipped in"))
            packet[4:8] = (SINGLE | flag | 1).to_bytes(4, "big")
            peer.send(bytes(packet))
        assert_talks(conn, peer)
        stats = conn.stats()
        assert (stats.recv_undecrypt, stats.recv_undecrypt_bytes) == (20, 200)


@pytest.mark.parametrize("flag", [EVEN, ODD, BOTH])
def test_row_09_what_is_encrypted_is_dropped_and_counted_on_a_connection_in_clear(
    listener: srtpy.Listener, flag: int
) -> None:
    with MadPeer(listener.local_addr) as peer, listener.accept() as conn:
        packet = bytearray(peer.packet(0, b"noise"))
        packet[4:8] = (SINGLE | flag | 1).to_bytes(4, "big")
        peer.send(bytes(packet), peer.packet(0, b"clear"))
        conn.settimeout(30)
        assert conn.read() == b"clear"
        assert conn.stats().recv_undecrypt == 1


# ---- known vulnerabilities


def test_cve_2026_55869_key_material_longer_than_any_key(listener: srtpy.Listener, keyed: srtpy.Listener) -> None:
    """A KMREQ after connecting, with or without a passphrase here, as long as a packet: read into nothing."""
    for door, config in ((listener, None), (keyed, KEYED)):
        with MadPeer(door.local_addr, config) as peer, door.accept() as conn:
            for size in (104, 105, 108, 1024, 1352, 1440):
                peer.send(extension(peer, ExtensionKind.KMREQ, MATERIAL[:16] + b"\xff" * (size - 16)))
            until(lambda: conn.stats().recv_km == 6)
            assert states(conn) == ((2, 2) if config else (0, 0))
            assert conn.state is srtpy.ConnState.CONNECTED


def test_cve_2026_55868_an_answer_nobody_asked_for_takes_no_security_away(keyed: srtpy.Listener) -> None:
    """KMRSP after connecting: bodies of every size up to a key's, and every state."""
    with MadPeer(keyed.local_addr, KEYED) as peer, keyed.accept() as conn:
        for size in range(len(MATERIAL) + 8):
            peer.send(extension(peer, ExtensionKind.KMRSP, bytes(size)))
        for state in range(8):
            peer.send(extension(peer, ExtensionKind.KMRSP, state.to_bytes(4, "little")))
            peer.send(extension(peer, ExtensionKind.KMRSP, state.to_bytes(4, "big")))
        assert_talks(conn, peer)
        assert states(conn) == (2, 2)
        conn.write(b"secret")
        peer.socket.settimeout(30)
        heard = peer.receive()
        while heard[0] & 0x80:
            heard = peer.receive()
        assert b"secret" not in heard
        assert heard[4] & 0x18, "a key flag"


def test_cleartext_on_a_secured_stream_before_anything_else_has_come(keyed: srtpy.Listener) -> None:
    """libsrt took it until 2024, and srtgo until the first announcement."""
    with MadPeer(keyed.local_addr, KEYED) as peer, keyed.accept() as conn:
        peer.send(peer.packet(0, b"clear"))
        assert_talks(conn, peer)


@pytest.mark.parametrize(("ours", "theirs"), [(PASSPHRASE, ""), ("", PASSPHRASE)])
@pytest.mark.parametrize("is_enforced", [True, False])
def test_libsrt_issue_1979_a_passphrase_on_one_side_hurts_nobody(ours: str, theirs: str, is_enforced: bool) -> None:
    there = Config(passphrase=theirs, enforced_encryption=is_enforced, linger=0.0)
    with srtpy.listen(("127.0.0.1", 0), KEYED.replace(passphrase=ours, enforced_encryption=is_enforced)) as listener:
        if is_enforced:
            with pytest.raises(srtpy.RejectedError):
                srtpy.dial(listener.local_addr, there)
        else:
            with srtpy.dial(listener.local_addr, there) as caller, listener.accept() as accepted:
                for one in (caller, accepted):
                    one.write(b"x")


# ---- floods


def test_a_flood_of_wrong_passphrases_stalls_no_live_stream(keyed: srtpy.Listener, derivations: list[str]) -> None:
    """A few thousand conclusions with valid cookies and wrong keys, from ten addresses, beside two streams."""
    before = Footprint.now()
    late = []
    for _ in range(3):  # a busy machine makes anybody late; being on time once shows that the flood does not
        late.append(latest_in_a_flood(keyed, derivations))
        if late[-1] <= 0.25:
            break
    assert late[-1] <= 0.25, late
    until(lambda: not any(thread.name.startswith("srt-keys") for thread in threading.enumerate()))
    before.assert_not_outgrown(24)


def latest_in_a_flood(keyed: srtpy.Listener, derivations: list[str]) -> float:
    """Return how many seconds after its time the latest message came."""
    latency = 0.5
    with streams(keyed, 2, 200, passphrase=PASSPHRASE, latency=latency) as running, ExitStack() as stack:
        mob = [stack.enter_context(Stranger(keyed.local_addr, f"127.0.9.{n + 1}")) for n in range(10)]
        cookies = [one.cookie() for one in mob]
        del derivations[:]
        flooded = time.monotonic()
        number = 5000
        while time.monotonic() < flooded + 3.0:
            for one, cookie in zip(mob, cookies, strict=True):
                for _ in range(10):
                    number += 1
                    one.send(keyed_conclusion(cookie, number, WRONG))
                one.heard()
            time.sleep(0.02)
        derived = len(derivations)
        lasted = time.monotonic() - flooded
        # never refused: a full book takes in who has nothing in it
        with srtpy.dial(keyed.local_addr, KEYED.replace(conn_timeout=10.0)) as late, keyed.accept() as accepted:
            late.write(b"still open to friends")
            assert accepted.read() == b"still open to friends"
    for stream in running:
        stream.assert_whole(latency + 5.0)
    assert all(name.startswith("srt-keys-") for name in derivations[:derived])
    assert 0 < derived <= 1000 * lasted
    return max(max(stream.delays) for stream in running) - latency


def late_by(delays: list[float], latency: float) -> tuple[float, float]:
    """Return by how much half of the messages, and all but one in a hundred, came after their time at most."""
    late = sorted(delay - latency for delay in delays)
    return late[len(late) // 2], late[len(late) * 99 // 100]


def test_two_hundred_wrong_passphrases_a_second_delay_no_stream_and_keep_no_friend_out(
    keyed: srtpy.Listener, derivations: list[str]
) -> None:
    tries = []
    for _ in range(3):  # a busy machine makes anybody late; being on time once shows that the flood does not
        (calm, calm_worst), (busy, busy_worst) = lateness_before_and_in_a_flood(keyed, derivations)
        tries.append((calm, calm_worst, busy, busy_worst))
        if busy <= calm + 0.05 and busy_worst <= calm_worst + 0.25:
            return
    pytest.fail(f"late each time: {tries}")


def lateness_before_and_in_a_flood(
    keyed: srtpy.Listener, derivations: list[str]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return `late_by` of two streams without wrong passphrases and with them."""
    latency, quiet, flood = 0.5, list[float](), list[float]()
    friends = 0
    with streams(keyed, 2, 200, passphrase=PASSPHRASE, latency=latency) as running, ExitStack() as stack:
        mob = [stack.enter_context(Stranger(keyed.local_addr, f"127.0.8.{n + 1}")) for n in range(4)]
        cookies = [one.cookie() for one in mob]
        time.sleep(2.0)
        before = [len(stream.delays) for stream in running]
        del derivations[:]
        began = time.monotonic()
        for number in range(600):
            mob[number % 4].send(keyed_conclusion(cookies[number % 4], 9000 + number, WRONG))
            if number % 100 == 50:
                with srtpy.dial(keyed.local_addr, KEYED) as friend:
                    friends += friend.state is srtpy.ConnState.CONNECTED
                    keyed.accept().close()
            time.sleep(max(began + number / 200 - time.monotonic(), 0))
        derived, after = len(derivations), [len(stream.delays) for stream in running]
    for stream, first, last in zip(running, before, after, strict=True):
        stream.assert_whole(latency + 5.0)
        quiet += stream.delays[:first]
        flood += stream.delays[first:last]
    assert friends == 6
    assert derived > 100, "there was a flood"
    assert len(set(derivations[:derived]) - {threading.current_thread().name}) == 1, "one thread derives for a listener"
    return late_by(quiet, latency), late_by(flood, latency)


def test_a_flood_from_one_address_leaves_room_for_others(keyed: srtpy.Listener) -> None:
    with Stranger(keyed.local_addr, "127.0.9.9") as one:
        cookie = one.cookie()
        for number in range(2000):
            one.send(keyed_conclusion(cookie, 5000 + number, WRONG))
        with srtpy.dial(keyed.local_addr, KEYED.replace(conn_timeout=10.0)) as friend:
            assert friend.state is srtpy.ConnState.CONNECTED
            keyed.accept().close()


def test_damaged_conclusions_with_keys_never_raise(keyed: srtpy.Listener, said: list[Any]) -> None:
    with Stranger(keyed.local_addr) as one:
        good = keyed_conclusion(one.cookie())
        mutator = Mutator(99)
        for number in range(500):
            damaged = bytearray(mutator.mutated([good]).ljust(48, b"\0"))
            damaged[44:48] = good[44:48]
            one.send(bytes(damaged))
            if number % 50 == 0:
                one.heard()
        one.answers()
    assert not [record for record in said if "internal error" in record.getMessage()]
