"""How fast packets arrive, and how fast the link could bring them.

Lives here: the window of arrival intervals, the window of probe pairs, and the two
estimates an ACK carries.
Never here: the ACK itself (core/acks.py), what a sender makes of the numbers (file mode's
controller), how fast the application writes (sampling on the sending side).
Draft: 4.8.1 "Packet Acknowledgement", 5.2 "File Transfer Congestion Control".

One call a batch, however many packets one read brought.  An entry is the time since the entry before and the
packets that came in it, and it counts for as many packets as it has.  Where the kernel tells when each packet came
those are an entry that came within `FIRST_SPACING`; where it does not, packets of one read have no
measurable interval between them, and the speed is measured from read to read.  For packets that come one by
one these are libsrt's own numbers.

Of the very first read only the packets are known.  A libsrt sender of files may leave its slow start at
the first acknowledgement and go on for seconds at an eighth of the speed it names, so that must not be a
guess of nothing: they are taken to have come as close as libsrt's receiver takes packets out of a burst.
So are those that come with others until the window has been filled once: what passed before their read is
how long the first of them took to come, or our thread to wake, and libsrt too counts it once.

A probe pair is sent back to back, and its interval tells the link's capacity.  A pair is measured by the kernel's
times, or when it was read one by one; of two packets that were joined by the kernel, or read at once without such
times, nothing can be told, and then the arrival speed says what the link can do at least.
"""

from __future__ import annotations

from collections import deque
from math import ceil
from typing import Final

from srtpy.internal.clock.units import MILLISECOND, SECOND, Micros
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import HEADER, RETRANSMITTED, Header

ARRIVALS_KEPT: Final = 16  # libsrt window.h CPktTimeWindow<16, 64>
PROBES_KEPT: Final = 64  # libsrt window.h CPktTimeWindow<16, 64>
FIRST_INTERVAL: Final[Micros] = SECOND  # libsrt window.h initializeWindowArrays
FIRST_SPACING: Final[Micros] = 10  # ours: what libsrt's receiver needs for a packet, measured
FIRST_PROBE: Final[Micros] = MILLISECOND  # libsrt window.h initializeWindowArrays: 1000 packets a second
COUNTED_HEADER: Final = 12  # libsrt window.h m_zHeaderSize: what each packet adds to the byte rate
OUTLIER: Final = 8  # libsrt window.cpp: an interval eight times the median, or an eighth of it, does not count
PROBE_MASK: Final = 0xF  # libsrt core.h PUMASK_SEQNO_PROBE: every sixteenth packet and its follower are a pair
NO_PROBE: Final = -1  # ours: no first half of a pair is waiting
LOOKED_AT: Final = 2 * ARRIVALS_KEPT  # ours: packets at the end of a read, which drive out what was before


class Arrivals:
    """Arrival intervals and probe pairs of one direction, shared by those who feed and those who ask."""

    __slots__ = ("_begun", "_blank", "_capacity", "_last", "_pairs", "_payload_size", "_probe", "_probes", "_reads")

    def __init__(self, payload_size: int, now: Micros) -> None:
        self._payload_size = payload_size
        self._reads = deque([(FIRST_INTERVAL, 1, payload_size)] * ARRIVALS_KEPT, ARRIVALS_KEPT)
        self._blank = ARRIVALS_KEPT  # entries that stand for nothing measured
        self._begun = False
        self._last = now  # when the last read came
        self._probes = deque([float(FIRST_PROBE)] * PROBES_KEPT, PROBES_KEPT)
        self._probe = NO_PROBE  # sequence number of the first half of a pair, if it came last
        self._capacity = 0  # what the probes say; 0: not computed yet
        self._pairs = 0  # how many have been measured

    def note_batch(self, first: Header, packets: int, size: int, now: Micros) -> None:
        """Learn from one read's data packets; `first` is the header of the first, `size` their payload bytes."""
        if packets == 1:
            self._note_lone(first, size, now)
        else:
            self._probe = NO_PROBE
        reads = self._reads
        if not self._begun:
            self._begun = True
            if packets > 1:
                self._note_read(packets * FIRST_SPACING, packets, size)
        elif now > self._last:
            if self._blank:
                self._note_first(now - self._last, packets, size)
            else:
                reads.append((now - self._last, packets, size))
        else:
            interval, before, size_before = reads.pop()
            reads.append((interval, before + packets, size_before + size))
        self._last = now

    def note_each(self, batch: Batch, size: int) -> None:
        """Learn from one read's data packets, of which the kernel told when each came; `size`: their payload bytes."""
        times, count = batch.times, batch.count
        self._note_pairs(batch)
        if times[-1] - times[0] <= count * FIRST_SPACING:  # so close that they are one
            self.note_batch(batch.first, count, size, times[-1])
            return
        self._probe = NO_PROBE
        since = max(count - LOOKED_AT, 0 if self._begun else 1)
        last = times[since - 1] if since else self._last
        self._begun = True
        reads, each = self._reads, size // count
        for at in times[since:]:
            gap = at - last
            if gap < FIRST_SPACING and self._blank < ARRIVALS_KEPT:
                interval, before, size_before = reads.pop()
                reads.append((interval + max(gap, 0), before + 1, size_before + each))
            else:
                self._note_read(max(gap, 1), 1, each)
            last = at
        self._last = last

    def _note_pairs(self, batch: Batch) -> None:
        """Measure the probe pairs of a read; they are next to each other there unless something was lost."""
        data, stride, times = batch.data, batch.stride, batch.times
        for index in range(-batch.first[0] & PROBE_MASK, batch.count - 1, PROBE_MASK + 1):
            seq, _, _, _ = HEADER.unpack_from(data, index * stride)
            follower, info, _, _ = HEADER.unpack_from(data, (index + 1) * stride)
            size = len(data) - (index + 1) * stride if index + 2 == batch.count else stride
            size -= HEADER.size
            if seq & PROBE_MASK == 0 and follower == seq + 1 and not info & RETRANSMITTED and size:
                self._note_pair(times[index + 1] - times[index], size)

    def _note_pair(self, interval: Micros, size: int) -> None:
        """Note how far apart two packets came that left back to back; the second carried so many bytes."""
        self._probes.append(max(interval, FIRST_SPACING) * self._payload_size / size)
        self._pairs += 1
        self._capacity = 0

    def _note_first(self, interval: Micros, packets: int, size: int) -> None:
        """Note one of the first reads: what was waited for is its first packet, the others were on its heels."""
        first = size // packets
        self._note_read(interval, 1, first)
        if packets > 1:
            self._note_read((packets - 1) * FIRST_SPACING, packets - 1, size - first)

    def _note_read(self, interval: Micros, packets: int, size: int) -> None:
        """Put a read into a window with room: its packets drive out as many entries that mean nothing."""
        reads = self._reads
        for _ in range(min(packets, self._blank)):
            reads.popleft()
            self._blank -= 1
        reads.append((interval, packets, size))

    def speed(self) -> tuple[int, int]:
        """Return packets and bytes a second, or zeros while arrivals are too uneven to tell."""
        paces = sorted([(interval / packets, interval, packets, size) for interval, packets, size in self._reads])
        half = sum([packets for _, _, packets, _ in paces]) // 2
        passed = index = 0
        while passed <= half:
            passed += paces[index][2]
            index += 1
        median = paces[index - 1][0]
        low, high = median / OUTLIER, median * OUTLIER
        time = kept = size = 0
        for pace, interval, packets, length in paces:
            if low < pace < high:
                time += interval
                kept += packets
                size += length
        if kept <= half:
            return 0, 0
        return ceil(kept * SECOND / time), ceil((size + kept * COUNTED_HEADER) * SECOND / time)

    def capacity(self, speed: int) -> int:
        """Return packets a second the link can bring, not less than the `speed` at which they come."""
        if not self._capacity:
            self._capacity = self._probed_capacity()
        return max(self._capacity, speed)

    @property
    def are_pairs_known(self) -> bool:
        """Whether more of the probe pairs have been measured than stand for nothing."""
        return self._pairs > PROBES_KEPT // 2

    def _note_lone(self, header: Header, size: int, now: Micros) -> None:
        """Learn from a packet that was read alone, the only kind whose place in time is known."""
        seq, info = header[0], header[1]
        half = seq & PROBE_MASK
        if half == 0 and seq != self._probe:
            self._probe = seq
            return
        if half == 1 and seq - 1 == self._probe and not info & RETRANSMITTED and size and now > self._last:
            self._note_pair(now - self._last, size)
        self._probe = NO_PROBE

    def _probed_capacity(self) -> int:
        median = sorted(self._probes)[PROBES_KEPT // 2]
        kept = [probe for probe in self._probes if median / OUTLIER < probe < median * OUTLIER]
        # libsrt window.cpp getBandwidth_in: the median counts once more
        return ceil(SECOND * (len(kept) + 1) / (sum(kept) + median))
