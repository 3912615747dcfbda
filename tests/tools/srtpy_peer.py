"""The C peer's twin: the same settings, the same messages, the same report, made of srtpy.

Lives here: one process of its own that sends or receives numbered, timed messages through the
public interface alone; `SrtpyPeer` starts one.
Never here: any judgement; the tests and the benchmark judge.

Settings are those of `libsrt_peer.c` (`mode`, `role`, `port`, `size`, `rate`, `burst`, `count`,
`seconds`, `connections`, `check`, `in`, `out`) and libsrt's options in its units.  Ours besides:
`call=write|write_many` and `call=read|read_many`, `many` (messages a call), `low_latency=1`,
`linger` in seconds, and `bytes`: a receiver ends when it has that many.
"""

from __future__ import annotations

import json
import resource
import signal
import struct
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import IO, Any

import srtpy
from tests.tools.libsrt_peer import PeerProcess

HEAD = struct.Struct("<QQ")
TAIL = b"the tail message"  # of a C peer in live mode: the last one to come, over and over, and not to be counted
OWN = {
    "mode": "listener", "role": "receive", "host": "127.0.0.1", "port": 0, "size": 1316, "rate": 0, "burst": 1,
    "count": 0, "bytes": 0, "seconds": 0.0, "settle": 0.2, "connections": 1, "check": 1, "in": "", "out": "",
    "keep_open_ms": 0, "call": "", "many": 64, "low_latency": 0, "linger_s": -1.0, "share_port": 0, "local_port": 0,
    "log": "", "tell": 0.0, "rehearse": 0.0,
    "patience": 10.0,  # seconds without an acknowledgement; less than any test's patience with us
}  # fmt: skip
FIELDS = {"udp_rcvbuf": "udp_recv_buf_size", "udp_sndbuf": "udp_send_buf_size"}


class Tally:
    """What one connection's receiver has seen."""

    def __init__(self) -> None:
        self.messages = self.bytes = self.missing = self.repeated = self.damaged = self.expected = 0
        self.first = self.last = self.told = 0.0
        self.latencies: list[int] = []
        self.stats: dict[str, Any] = {}

    def judge(self, batch: list[bytes]) -> None:
        """Check numbers, pattern and age of messages read at once."""
        now = time.monotonic_ns()
        unpack = HEAD.unpack_from
        for message in batch:
            number, stamp = unpack(message)
            if number > 1 << 40 or (len(message) > HEAD.size and message[-1] != number & 0xFF):
                self.damaged += 1
                continue
            if number == self.expected:
                self.expected = number + 1
            elif number < self.expected:
                self.repeated += 1
            else:
                self.missing += number - self.expected
                self.expected = number + 1
            self.latencies.append((now - stamp) // 1000)


class Nobody:
    """Takes what is written in a rehearsal."""

    def write(self, message: bytes) -> None:
        """Do nothing with it."""


class Worker:
    """What the settings ask for, done."""

    def __init__(self, settings: dict[str, str]) -> None:
        chosen: dict[str, Any] = dict(OWN)
        rest: dict[str, str] = {}
        for name, value in settings.items():
            if name in OWN:
                kind: Any = type(OWN[name])
                chosen[name] = kind(value)
            else:
                rest[name] = value
        self.wanted = chosen
        extra: dict[str, Any] = {FIELDS[name]: int(rest.pop(name)) for name in list(rest) if name in FIELDS}
        if chosen["linger_s"] >= 0:
            extra["linger"] = chosen["linger_s"]
        query = "&".join(f"{name}={value}" for name, value in rest.items())
        self.config = srtpy.Config.from_url(f"srt://127.0.0.1:1?{query}").replace(**extra)
        self.stop = threading.Event()
        self.conns: list[srtpy.Conn] = []
        self.listener: srtpy.Listener | None = None
        self.failed_sends = self.unacknowledged = 0
        self.own_core = 0.0
        self.tallies: list[Tally] = []

    def rehearse(self) -> None:
        """Do what a sender does at this rate but for the sending; note which share of a core that takes, in percent."""
        began, used, tally = time.monotonic(), time.process_time(), Tally()
        tally.first = began
        self.send_each(tally, [Nobody()], began + self.wanted["rehearse"])
        self.own_core = 100 * (time.process_time() - used) / (time.monotonic() - began)

    def open_all(self) -> None:
        """Dial, or listen and accept, as many connections as wanted."""
        wanted = self.wanted
        if wanted["mode"] == "caller":
            for _ in range(wanted["connections"]):
                try:
                    self.conns.append(srtpy.dial((wanted["host"], wanted["port"]), self.config))
                except srtpy.RejectedError as refusal:
                    say({"refused": int(refusal.reason), "text": str(refusal)})
                    sys.exit(3)
            return
        self.listener = srtpy.listen((wanted["host"], wanted["port"]), self.config, backlog=600)
        say({"listening": self.listener.local_addr[1]})
        for _ in range(wanted["connections"]):
            self.conns.append(self.listener.accept())

    def run(self) -> None:
        """Do it and report."""
        if self.wanted["rehearse"] and self.wanted["rate"] and self.wanted["role"] == "send":
            self.rehearse()
        self.open_all()
        say({"connected": len(self.conns)})
        time.sleep(self.wanted["settle"])
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
        role = self.wanted["role"]
        if role == "send":
            tallies = [self.send()]
        elif role == "idle":
            self.stop.wait(self.wanted["seconds"] or 3600)
            tallies = []
        else:
            tallies = self.receive()
        stats = [conn.stats().as_dict() for conn in self.conns]
        wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF)
        if role == "send":
            self.close()
            stats = [conn.stats().as_dict() for conn in self.conns]
        own = {"own_core": self.own_core, "failed_sends": self.failed_sends, "unacknowledged": self.unacknowledged}
        say(report(self.wanted, tallies, stats, wall, before, after) | {"tail": 0, **own})
        self.close()

    def close(self) -> None:
        """Close everything, all at once: each waits for its peer to play."""
        closers = [threading.Thread(target=conn.close) for conn in self.conns]
        for each in closers:
            each.start()
        for each in closers:
            each.join()
        if self.listener is not None:
            self.listener.close()

    # receiving

    def receive(self) -> list[Tally]:
        """Read from every connection until its end, or until we have what we want."""
        tallies = self.tallies = [Tally() for _ in self.conns]
        out = open(self.wanted["out"], "wb") if self.wanted["out"] else None  # noqa: SIM115
        threads = [
            threading.Thread(target=self.receive_from, args=(conn, tally, out), daemon=True)
            for conn, tally in zip(self.conns[1:], tallies[1:], strict=True)
        ]
        for each in threads:
            each.start()
        self.receive_from(self.conns[0], tallies[0], out)
        for each in threads:
            each.join()
        if out is not None:
            out.close()
        return tallies

    def receive_from(self, conn: srtpy.Conn, tally: Tally, out: IO[bytes] | None) -> None:
        """Read one connection."""
        check, many, wanted = self.wanted["check"], self.wanted["many"], self.wanted
        one_by_one = wanted["call"] == "read"
        conn.settimeout(0.5)
        while not self.is_over(tally):
            try:
                batch = [conn.read()] if one_by_one else conn.read_many(many)
            except TimeoutError:
                continue
            except srtpy.SRTError as fault:
                print(f"reading ended: {fault!r}", file=sys.stderr)
                break
            if not batch or not batch[0]:
                break
            if batch[-1] == TAIL:
                batch = [message for message in batch if message != TAIL]
                if not batch:
                    continue
            tally.last = time.monotonic()
            tally.first = tally.first or tally.last
            tally.messages += len(batch)
            tally.bytes += sum(map(len, batch))
            if wanted["tell"] and tally.last - tally.told >= wanted["tell"]:
                tally.told = tally.last
                say({"at": tally.last, "got": tally.bytes})
            if out is not None:
                out.writelines(batch)
            elif check:
                tally.judge(batch)

    def is_over(self, tally: Tally) -> bool:
        """Say whether a receiver has had enough."""
        wanted = self.wanted
        if self.stop.is_set() or 0 < wanted["bytes"] <= tally.bytes:
            return True
        if 0 < wanted["count"] <= sum(each.messages for each in self.tallies):
            return True
        return bool(wanted["seconds"] and tally.first and time.monotonic() - tally.first > wanted["seconds"])

    # sending

    def send(self) -> Tally:
        """Send at the wanted rate over all connections in turn; stay until all is acknowledged."""
        tally = Tally()
        tally.first = time.monotonic()
        try:
            if self.wanted["call"] == "write_many":
                self.send_many(tally)
            else:
                self.send_each(tally, self.conns, self.ends_at())
        except srtpy.SRTError as fault:
            self.failed_sends += 1
            print(f"sending ended: {fault!r}", file=sys.stderr)
        self.wait_until_safe()
        return tally

    def send_many(self, tally: Tally) -> None:
        """Write lists of messages as fast as they are taken, or at a rate."""
        conn, wanted = self.conns[0], self.wanted
        size, many, rate = wanted["size"], wanted["many"], wanted["rate"]
        blank = bytes(size - HEAD.size)
        pack, number, end = HEAD.pack, 0, self.ends_at()
        while not self.stop.is_set() and not 0 < wanted["count"] <= number:
            now = time.monotonic()
            if now >= end:
                break
            if rate and (pause := tally.first + number * size / rate - now) > 0:
                time.sleep(pause)
            stamp = time.monotonic_ns()
            if wanted["check"]:
                batch = [pack(n, stamp) + bytes([n & 0xFF]) * len(blank) for n in range(number, number + many)]
            else:
                batch = [pack(n, stamp) + blank for n in range(number, number + many)]
            taken = 0
            while taken < many:
                taken += conn.write_many(batch[taken:] if taken else batch)
            number += many
            tally.last = time.monotonic()
        tally.messages, tally.bytes = number, number * size

    def send_each(self, tally: Tally, conns: Sequence[srtpy.Conn | Nobody], end: float) -> None:
        """Write message by message, `burst` of them at each wake-up, numbered on each connection in turn.

        What is done here 950 times a second is part of what is measured: no call in the loop that need not be.
        """
        wanted, stop, clock, sleep = self.wanted, self.stop.is_set, time.monotonic, time.sleep
        pack, stamp, patterns = HEAD.pack, time.monotonic_ns, patterns_of(wanted["size"] - HEAD.size)
        began, burst, pieces = tally.first, wanted["burst"], self.from_file() if wanted["in"] else None
        apart = wanted["size"] / wanted["rate"] if wanted["rate"] else 0.0
        writes = [conn.write for conn in conns]
        count = len(writes)
        messages = size = 0
        try:
            for turn in range(wanted["count"] or sys.maxsize):
                if turn % burst == 0:
                    now = clock()
                    if now >= end or stop():
                        break
                    pause = began + turn * apart - now
                    if pause > 0:
                        sleep(pause)
                if pieces is None:
                    number = turn // count
                    message = pack(number, stamp()) + patterns[number & 0xFF]  # stamped now, not before the pause
                elif not (message := next(pieces, b"")):
                    break
                writes[turn % count](message)
                messages += 1
                size += len(message)
        finally:
            tally.messages, tally.bytes, tally.last = messages, size, clock()

    def from_file(self) -> Iterator[bytes]:
        """Yield the pieces of a file."""
        with open(self.wanted["in"], "rb") as source:
            while piece := source.read(self.wanted["size"]):
                yield piece

    def ends_at(self) -> float:
        """Return when sending ends at the latest."""
        seconds = self.wanted["seconds"]
        return time.monotonic() + seconds if seconds > 0 else float("inf")

    def wait_until_safe(self) -> None:
        """Stay until the peer has everything, or has acknowledged nothing for a while; note what it lacks."""
        patience = self.wanted["patience"]
        for conn in self.conns:
            waiting, limit = self.waiting_of(conn), time.monotonic() + patience
            while waiting and time.monotonic() < limit and not self.stop.is_set():
                time.sleep(0.005)
                before, waiting = waiting, self.waiting_of(conn)
                if waiting < before:
                    limit = time.monotonic() + patience
            self.unacknowledged += waiting
        limit = time.monotonic() + self.wanted["keep_open_ms"] / 1000
        while time.monotonic() < limit and any(conn.state is srtpy.ConnState.CONNECTED for conn in self.conns):
            time.sleep(0.02)  # it is being played

    def waiting_of(self, conn: srtpy.Conn) -> int:
        """Return how many packets of a connection nobody has acknowledged; none once it has ended."""
        try:
            waiting: int = conn.get_option(srtpy.SockOpt.SND_DATA)
        except srtpy.SRTError:
            return 0
        return waiting


def patterns_of(size: int) -> list[bytes]:
    """Return what follows the head of a message, for each last byte of its number."""
    return [bytes([number]) * size for number in range(256)]


def say(answer: dict[str, Any]) -> None:
    """Tell whoever started us, on a line of its own."""
    print(json.dumps(answer), flush=True)


def largest_memory() -> int:
    """Return the most memory this program has held, in kB (ru_maxrss would count the parent's too)."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def percentiles(latencies: list[int]) -> dict[str, float]:
    """Return what the C peer tells about latencies."""
    latencies.sort()
    last = len(latencies) - 1

    def at(share: float) -> float:
        return float(latencies[int(last * share)]) if latencies else 0.0

    return {
        "samples": len(latencies),
        "mean": sum(latencies) / max(len(latencies), 1),
        "min": at(0),
        "p50": at(0.5),
        "p90": at(0.9),
        "p99": at(0.99),
        "p999": at(0.999),
        "max": at(1),
    }


def report(
    wanted: dict[str, Any],
    tallies: list[Tally],
    stats: list[dict[str, Any]],
    wall: float,
    before: resource.struct_rusage,
    after: resource.struct_rusage,
) -> dict[str, Any]:
    """Return the result line, with the C peer's names."""
    first = min((tally.first for tally in tallies if tally.first), default=0.0)
    last = max((tally.last for tally in tallies), default=0.0)
    total = sum(tally.bytes for tally in tallies)

    def counted(name: str) -> Any:
        return sum(row.get(name, 0) for row in stats)

    return {
        "library": "srtpy",
        "role": wanted["role"],
        "connections": len(stats),
        "messages": sum(tally.messages for tally in tallies),
        "bytes": total,
        "seconds": last - first,
        "mbit_s": total * 8e-6 / (last - first) if last > first else 0.0,
        "missing": sum(tally.missing for tally in tallies),
        "repeated": sum(tally.repeated for tally in tallies),
        "damaged": sum(tally.damaged for tally in tallies),
        "latency_us": percentiles([each for tally in tallies for each in tally.latencies]),
        "wall": wall,
        "cpu_user": after.ru_utime - before.ru_utime,
        "cpu_system": after.ru_stime - before.ru_stime,
        "max_rss_kb": largest_memory(),
        "stats": {
            "sent": counted("sent_packets"),
            "sent_unique": counted("sent_unique_packets"),
            "retransmitted": counted("retransmits"),
            "send_loss": counted("lost_packets"),
            "send_drop": counted("sent_dropped"),
            "received": counted("recv_packets"),
            "received_unique": counted("recv_unique_packets"),
            "receive_loss": counted("recv_loss"),
            "receive_drop": counted("recv_dropped"),
            "belated": counted("recv_belated"),
            "undecrypted": counted("recv_undecrypt"),
            "rtt_ms": 1000 * counted("rtt") / max(len(stats), 1),
            "acks_sent": counted("sent_acks"),
            "acks_received": counted("recv_acks"),
            "naks_sent": counted("sent_naks"),
            "naks_received": counted("recv_naks"),
        },
        "all_stats": stats[0] if stats else {},
    }


class SrtpyPeer(PeerProcess):
    """A running worker; a context manager that ends it."""

    @staticmethod
    def program() -> list[str]:
        """Return the words that start it."""
        return [sys.executable, "-m", "tests.tools.srtpy_peer"]


def main() -> None:
    """Do what the arguments say."""
    settings = dict(argument.split("=", 1) for argument in sys.argv[1:])
    worker = Worker(settings)
    signal.signal(signal.SIGTERM, lambda *_: worker.stop.set())
    if worker.wanted["low_latency"]:
        srtpy.low_latency()
    worker.run()


if __name__ == "__main__":
    main()
