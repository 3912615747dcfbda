"""What is to be sent: files and folders found, named and opened.

Lives here: walking folders, the names things get at the receiver, reading a file that may change meanwhile.
Never here: the conversation (file_sending.py).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from srtpy.cli.file_digests import Digest, TooShort, digest_of_start, new_digest
from srtpy.cli.file_names import shown
from srtpy.cli.file_words import LONGEST_NAME, Kind

PERMISSIONS: Final = 0o777


@dataclass(slots=True)
class Entry:
    """A file or folder to be sent.

    Attributes:
        index: its number in this transfer.
        name: its relative path at the receiver.
        path: where it is.
        kind: file or folder.
        mode: permissions.
        size: bytes, when we last looked.
        mtime: when it was changed last, in nanoseconds, when we last looked.
        attempts: how often it had to be begun again.
        is_settled: there is nothing more to do about it, for better or worse.
    """

    index: int
    name: bytes
    path: str
    kind: Kind
    mode: int
    size: int
    mtime: int
    attempts: int = 0
    is_settled: bool = False

    def look_again(self) -> None:
        """Take the file as it is now; raises OSError if it is gone."""
        found = os.stat(self.path)
        if not stat.S_ISREG(found.st_mode):
            raise FileNotFoundError(f"{shown(self.path)} is no file any more")
        self.size, self.mtime = found.st_size, found.st_mtime_ns


@dataclass(slots=True)
class Findings:
    """What there is to send, and what is not sent, each with the reason.

    Attributes:
        entries: folders before what is in them.
        left_out: what is neither a file nor a folder.
        unreadable: what should be sent and cannot.
    """

    entries: list[Entry] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)


def gather(paths: Sequence[str]) -> Findings:
    """Return everything under `paths`.

    Links named in `paths` are followed; those inside folders, and what is neither file nor folder, are left out.

    Args:
        paths: files and folders.

    Raises:
        OSError: one of `paths` cannot be had.
        ValueError: two of them would have the same name at the receiver.
    """
    found = Findings()
    seen: dict[bytes, str] = {}
    for path in paths:
        top = os.path.abspath(path)
        name = os.path.basename(top)
        if not name:
            raise ValueError(f"{path}: this has no name to send it under; name what is in it")
        real = os.path.realpath(top, strict=True)
        key = os.fsencode(name)
        if key in seen:
            if seen[key] == real:
                continue
            raise ValueError(
                f"{shown(path)} and {shown(seen[key])} would both be called {shown(name)}; send one by one"
            )
        seen[key] = real
        _walk(real, name, found)
    return found


def _walk(path: str, name: str, into: Findings) -> None:
    waiting = [(path, name)]
    while waiting:
        path, name = waiting.pop()
        try:
            found = os.lstat(path)
            kind = _kind(found.st_mode)
            if kind is None or len(os.fsencode(name)) > LONGEST_NAME:
                what = "a link" if stat.S_ISLNK(found.st_mode) else "neither a file nor a folder"
                into.left_out.append((path, what if kind is None else f"a path of more than {LONGEST_NAME} bytes"))
                continue
            if kind is Kind.FOLDER:
                inside = sorted(os.listdir(path), reverse=True)
                waiting += [(os.path.join(path, each), f"{name}/{each}") for each in inside]
        except OSError as error:
            if "/" not in name:  # it was asked for by name
                raise
            into.unreadable.append((path, f"cannot be read: {error.strerror}"))
            continue
        size = found.st_size if kind is Kind.FILE else 0
        index, mode = len(into.entries), found.st_mode & PERMISSIONS
        into.entries.append(Entry(index, os.fsencode(name), path, kind, mode, size, found.st_mtime_ns))


def _kind(mode: int) -> Kind | None:
    return Kind.FILE if stat.S_ISREG(mode) else Kind.FOLDER if stat.S_ISDIR(mode) else None


class Source:
    """A file being read, as large as its entry says, whatever happens to it meanwhile.

    Raises:
        OSError: it cannot be opened, or is no file any more.
    """

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.position = 0
        self._digest: Digest = new_digest()
        # a path that was a file may be a pipe by now: not to be waited for
        self._file = os.open(entry.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(self._file).st_mode):
            self.close()
            raise FileNotFoundError(f"{shown(entry.path)} is no file any more")

    def begins_with(self, count: int, digest: bytes) -> bool:
        """Say whether its first `count` bytes have this digest, and if so go there."""
        if count > self.entry.size:
            return False
        try:
            found = digest_of_start(self._file, count)
        except TooShort:
            return False
        if found.digest() != digest:
            return False
        self._digest, self.position = found, count
        return True

    def read(self, limit: int) -> bytes:
        """Return the next bytes; b"" at the end.

        Raises:
            TooShort: the file has shrunk.
        """
        count = min(limit, self.entry.size - self.position)
        if not count:
            return b""
        piece = os.pread(self._file, count, self.position)
        if not piece:
            raise TooShort("the file has shrunk")
        self._digest.update(piece)
        self.position += len(piece)
        return piece

    def digest(self) -> bytes:
        """Return the digest of what has been read."""
        return self._digest.digest()

    def is_steady(self) -> bool:
        """Say whether what was read is how the file is, or how it begins if it has grown."""
        now = os.fstat(self._file)
        if (now.st_size, now.st_mtime_ns) == (self.entry.size, self.entry.mtime):
            return True
        try:
            return digest_of_start(self._file, self.entry.size).digest() == self.digest()
        except TooShort:
            return False

    def close(self) -> None:
        """Close the file."""
        descriptor, self._file = self._file, -1
        if descriptor >= 0:
            os.close(descriptor)
