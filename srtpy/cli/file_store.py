"""Where received files go: safe folders, files that grow under another name until they are whole.

Lives here: opening what a name from the network leads to without following any link, growing a partial file,
making it the file in one step, room on the disk.
Never here: which names are allowed (file_names.py), the conversation (file_receiving.py).

A partial file stands beside its target, hidden, and is all that a later try needs to go on.  It is locked while it
grows.  The target's name never leads to anything but the old file or the whole new one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from srtpy.cli.file_digests import Digest, digest_of_start, new_digest
from srtpy.cli.file_names import UnsafeName, partial_name
from srtpy.cli.file_words import Verdict

FOLDERS: Final = 32  # open at once
PERMISSIONS: Final = 0o777  # never set-user-id and its like, whatever the sender says
LATEST: Final = 1 << 62  # nanoseconds; file systems have no later dates

_VERDICTS: Final = {
    errno.ENOSPC: Verdict.NO_ROOM,
    errno.EDQUOT: Verdict.NO_ROOM,
    errno.EFBIG: Verdict.NO_ROOM,
    errno.EACCES: Verdict.DENIED,
    errno.EPERM: Verdict.DENIED,
    errno.ELOOP: Verdict.IN_THE_WAY,
    errno.ENOTDIR: Verdict.IN_THE_WAY,
    errno.EISDIR: Verdict.IN_THE_WAY,
    errno.ENXIO: Verdict.IN_THE_WAY,
    errno.ENAMETOOLONG: Verdict.NAME,
    errno.EILSEQ: Verdict.NAME,
    errno.EINVAL: Verdict.NAME,
}
_ENTER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_GROW: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LOOK: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Refused(Exception):
    """A file cannot be received.

    Attributes:
        verdict: why.
    """

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.name)
        self.verdict = verdict


def refusal(error: OSError | UnsafeName | Refused) -> Verdict:
    """Return what to say of an error: what the file system has, or the disk's failure."""
    if isinstance(error, Refused):
        return error.verdict
    if isinstance(error, UnsafeName):
        return Verdict.NAME
    return _VERDICTS.get(error.errno or 0, Verdict.DISK)


class Folder:
    """An open folder, closed when nobody knows it any more."""

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __del__(self) -> None:
        os.close(self.descriptor)

    def status(self, name: str) -> os.stat_result | None:
        """Return what is there under a name, the link itself if it is one; None if nothing is."""
        try:
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def make(self, name: str, mode: int) -> None:
        """Make a folder in it, if there is none; raises `Refused` if something else is there."""
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, mode, dir_fd=self.descriptor)
        found = self.status(name)
        if found is not None and not stat.S_ISDIR(found.st_mode):
            raise Refused(Verdict.IN_THE_WAY)

    def sync(self) -> None:
        """Have the disk know its names."""
        os.fsync(self.descriptor)


class Incoming:
    """A file that grows beside its target.

    Args:
        folder: where.
        name: of the target.
        have: bytes to keep of what is there; 0 begins anew.
        digest: of those bytes.

    Raises:
        Refused: it is being received by somebody else, or has changed since.
        OSError: what the file system says.
    """

    def __init__(self, folder: Folder, name: str, have: int = 0, digest: Digest | None = None) -> None:
        self.position = have
        self._folder = folder
        self._name = name
        self._partial = partial_name(name)
        self._digest = digest or new_digest()
        self._file = os.open(self._partial, _GROW, 0o600, dir_fd=folder.descriptor)
        try:
            self._claim(have)
        except BaseException:
            self.close()
            raise

    def _claim(self, have: int) -> None:
        found = os.fstat(self._file)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:  # another name of some other file
            raise Refused(Verdict.IN_THE_WAY)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(Verdict.BUSY) from None
        there = self._folder.status(self._partial)
        if there is None or not os.path.samestat(there, found) or (have and found.st_size != have):
            raise Refused(Verdict.BUSY)  # somebody has finished it, or had it, before we held it
        if not have:
            os.ftruncate(self._file, 0)
        os.lseek(self._file, have, os.SEEK_SET)

    def write(self, piece: bytes) -> None:
        """Take in more."""
        self._digest.update(piece)
        view = memoryview(piece)
        while view:
            view = view[os.write(self._file, view) :]
        self.position += len(piece)

    def digest(self) -> bytes:
        """Return the digest of all of it."""
        return self._digest.digest()

    def finish(self, mode: int, mtime: int, *, replaces: bool) -> None:
        """Put it on the disk and give it its name.

        Raises:
            Refused: something has come to stand there meanwhile.
            OSError: what the file system says.
        """
        with contextlib.suppress(PermissionError):  # file systems without permissions
            os.fchmod(self._file, mode)
        with contextlib.suppress(OSError, OverflowError):
            os.utime(self._file, ns=(mtime, mtime))
        os.fsync(self._file)
        found = self._folder.status(self._name)
        if found is not None and not stat.S_ISREG(found.st_mode):
            raise Refused(Verdict.IN_THE_WAY)
        if found is not None and not replaces:
            raise Refused(Verdict.EXISTS)
        within = self._folder.descriptor
        os.replace(self._partial, self._name, src_dir_fd=within, dst_dir_fd=within)
        self.close()

    def discard(self) -> None:
        """Remove it."""
        if self._file >= 0:
            with contextlib.suppress(OSError):
                os.unlink(self._partial, dir_fd=self._folder.descriptor)
        self.close()

    def close(self) -> None:
        """Leave it as it is, for another try."""
        descriptor, self._file = self._file, -1
        if descriptor >= 0:
            os.close(descriptor)


class Store:
    """A folder that files are received into.

    Args:
        root: the folder; made if need be.
        replaces: whether files that are there may be replaced.

    Raises:
        OSError: there is no such folder, and it cannot be made.
    """

    def __init__(self, root: str, *, replaces: bool) -> None:
        self.replaces = replaces
        os.makedirs(root, exist_ok=True)
        self._root = Folder(os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        self._open: OrderedDict[tuple[str, ...], Folder] = OrderedDict()
        self._mask = os.umask(0)
        os.umask(self._mask)

    def permissions(self, mode: int) -> int:
        """Return what a sender's permissions are here: as for any new file, the umask counts."""
        return mode & PERMISSIONS & ~self._mask

    def folder(self, parts: Sequence[str]) -> Folder:
        """Return a folder below the root, made if need be, reached without following links.

        Raises:
            OSError: something else is in the way, or we may not go there.
        """
        path, folder = tuple(parts), self._root
        for depth in range(1, len(path) + 1):
            folder = self._inside(folder, path[:depth])
        return folder

    def _inside(self, parent: Folder, path: tuple[str, ...]) -> Folder:
        known = self._open.get(path)
        if known is not None:
            self._open.move_to_end(path)
            return known
        try:
            descriptor = os.open(path[-1], _ENTER, dir_fd=parent.descriptor)
        except FileNotFoundError:
            os.mkdir(path[-1], PERMISSIONS & ~self._mask, dir_fd=parent.descriptor)
            descriptor = os.open(path[-1], _ENTER, dir_fd=parent.descriptor)
        found = self._open[path] = Folder(descriptor)
        if len(self._open) > FOLDERS:
            self._open.popitem(last=False)
        return found

    def make_folder(self, parts: Sequence[str], mode: int) -> None:
        """Make a folder; its owner may always write in it.

        Raises:
            Refused, OSError: something else is there, or we may not.
        """
        self.folder(parts[:-1]).make(parts[-1], self.permissions(mode) | 0o700)

    def room(self) -> int:
        """Return how many bytes the disk has left for us."""
        found = os.fstatvfs(self._root.descriptor)
        return found.f_bavail * found.f_frsize

    def existing(self, parts: Sequence[str]) -> int | None:
        """Return the size of the file that is there; None if none is.

        Raises:
            Refused: something is there that is no file.
        """
        found = self.folder(parts[:-1]).status(parts[-1])
        if found is not None and not stat.S_ISREG(found.st_mode):
            raise Refused(Verdict.IN_THE_WAY)
        return None if found is None else found.st_size

    def digest_of(self, parts: Sequence[str], size: int) -> Digest:
        """Return the digest of the file that is there, of that size."""
        return self._digest(self.folder(parts[:-1]), parts[-1], size)

    def begun(self, parts: Sequence[str], size: int) -> tuple[int, Digest | None]:
        """Return how much of a file has come before, and its digest; nothing if it cannot be part of `size` bytes."""
        folder, name = self.folder(parts[:-1]), partial_name(parts[-1])
        found = folder.status(name)
        if found is None or not stat.S_ISREG(found.st_mode) or not 0 < found.st_size <= size:
            return 0, None
        try:
            return found.st_size, self._digest(folder, name, found.st_size)
        except OSError:
            return 0, None

    def _digest(self, folder: Folder, name: str, size: int) -> Digest:
        descriptor = os.open(name, _LOOK, dir_fd=folder.descriptor)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Refused(Verdict.IN_THE_WAY)
            return digest_of_start(descriptor, size)
        finally:
            os.close(descriptor)

    def grow(self, parts: Sequence[str], have: int = 0, digest: Digest | None = None) -> Incoming:
        """Return the file to write into; see `Incoming`."""
        return Incoming(self.folder(parts[:-1]), parts[-1], have, digest)
