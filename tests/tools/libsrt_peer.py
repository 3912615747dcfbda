"""Peers in processes of their own: the C peer, compiled once, started with settings, asked for its results.

Lives here: building `libsrt_peer.c` against the installed libsrt, a running peer of any make.
Never here: what a missing libsrt means for a test (tests/conftest.py).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SOURCE = Path(__file__).with_name("libsrt_peer.c")
ROOT = SOURCE.parents[2]
CACHE = ROOT / "build" / "peers"
PATIENCE = 50.0  # seconds; more than any peer has itself, and a machine that stands still shows nothing about it


class MissingPeer(RuntimeError):
    """The machine lacks what a peer is made of; the text says what, and how to get it."""


def build(cache: Path = CACHE) -> Path:
    """Compile the peer unless that has been done; return the program.

    Raises:
        MissingPeer: no compiler, no libsrt, or the two do not work together.
    """
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise MissingPeer("no C compiler (apt-get install gcc libc6-dev)")
    source = SOURCE.read_bytes()
    program = cache / f"libsrt_peer-{hashlib.sha256(source).hexdigest()[:12]}"
    if program.exists():
        return program
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as room:
        made = Path(room) / "peer"
        command = [compiler, "-O2", "-o", str(made), str(SOURCE), "-lsrt"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            complaint = done.stderr.strip().splitlines()[:3]
            raise MissingPeer(f"libsrt cannot be compiled against (apt-get install libsrt-openssl-dev): {complaint}")
        os.replace(made, program)  # several test runs may compile at once; the last one wins
    return program


class PeerProcess(ABC):
    """A running peer of either make; a context manager that ends it.

    Settings are those at the top of `libsrt_peer.c`: `mode`, `role`, `port`, `size`, `rate`, `count`,
    `seconds`, …, and libsrt's options by their names in lower case (`latency` in milliseconds).
    """

    def __init__(self, **settings: object) -> None:
        words = [f"{name}={int(value) if isinstance(value, bool) else value}" for name, value in settings.items()]
        self._mode = settings.get("mode", "listener")
        self._words = " ".join([type(self).__name__, *words])
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the peer)
        self._process = subprocess.Popen(
            [*self.program(), *words], stdout=subprocess.PIPE, stderr=self._complaints, bufsize=0, cwd=ROOT
        )
        self._unread = b""
        self.port = int(str(settings.get("port", 0)))

    @staticmethod
    @abstractmethod
    def program() -> list[str]:
        """Return the words that start it."""

    def __enter__(self) -> Self:
        if self._mode == "listener":
            self.port = self._line(PATIENCE)["listening"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def wait_connected(self, timeout: float = PATIENCE) -> None:
        """Wait until all its connections are open.

        Raises:
            ConnectionRefusedError: the other side refused; the text has libsrt's reason.
        """
        line = self._line(timeout)
        if "connected" not in line:
            raise ConnectionRefusedError(json.dumps(line))

    def outcome(self, timeout: float = PATIENCE) -> dict[str, Any]:
        """Wait for the first line that tells how opening went, whichever way."""
        return self._line(timeout)

    def result(self, timeout: float = PATIENCE) -> dict[str, Any]:
        """Wait for its end; return what it saw, with what it told on the way as `told`."""
        told = []
        line = self._line(timeout)
        while "messages" not in line:
            if "at" in line:
                told.append((line["at"], line["got"]))
            line = self._line(timeout)
        return line | {"told": told}

    def stop(self) -> None:
        """Ask it to end and report."""
        self._process.terminate()

    def kill(self) -> None:
        """End it, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        self._complaints.close()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def log(self) -> str:
        """Return what it wrote to its standard error so far."""
        self._complaints.seek(0)
        return self._complaints.read().decode(errors="replace")

    def _state(self) -> str:
        """Return what the kernel says it is doing, for whoever asks why it says nothing."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:
            return "its process is gone"
        used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return f"its process is in state {fields[0]} and has used {used:.1f} s of a core; load {os.getloadavg()[0]:.1f}"

    def _line(self, timeout: float) -> dict[str, Any]:
        """Return the next line of its output."""
        pipe = self._process.stdout
        assert pipe is not None
        limit = time.monotonic() + timeout
        while b"\n" not in self._unread:
            ready, _, _ = select.select([pipe], [], [], max(0.0, limit - time.monotonic()))
            if not ready:
                raise TimeoutError(f"{self._words}: it said nothing for {timeout} s; {self._state()}; {self.log()}")
            more = pipe.read(65536)
            if not more:
                raise RuntimeError(f"{self._words}: it ended ({self._process.wait()}) without a result: {self.log()}")
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{self._words}: {answer['error']}")
        return answer


class LibsrtPeer(PeerProcess):
    """A running C peer."""

    @staticmethod
    def program() -> list[str]:
        """Return the words that start it."""
        return [str(build())]
