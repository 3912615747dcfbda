"""Large blocks of memory that come and go.

Lives here: having the C library keep what it would give back to the system, and ask for again a moment later.
Never here: what the blocks hold.

A file passes through blocks of 50 to 300 kB, each freed before the next is wanted.  glibc gives free memory at the
end of its heap back as soon as that is 128 kB, and for each page that it then takes again the kernel stops us and
fills the page with zeros: a third of a receiver's time.  It learns, though: once a block so large that it was
mapped by itself is freed, blocks of that size count as passing, and twice as much stays (mallopt(3), "Dynamic
adjustment of the mmap threshold").  A program that reads files or pictures has mostly taught it that already.
What we have it keep are 4 MB a heap at most.  Other C libraries do as they like.
"""

from __future__ import annotations

from functools import cache
from typing import Final

PASSING: Final = 1 << 21  # ours: bytes; twice as much is kept, and a connection has far less in passing


@cache
def keep_freed_blocks() -> None:
    """Have freed memory kept for the next block, once; hardly a page is touched, so it costs a microsecond."""
    bytes(PASSING)
