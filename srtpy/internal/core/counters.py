"""Every statistic of a connection, counted once.

Lives here: plain counters that the parts add to, by packets and by payload bytes.
Never here: gauges a part can answer for itself (window, buffer, round trip), rates and
units (srtpy.stats projects this).
Source: libsrt SRT_TRACEBSTATS, whose meanings these follow.
"""

from __future__ import annotations


class Counters:
    """Counts since the connection began; each is written by one part.

    Names pair up: `x` counts packets, `x_bytes` their payload bytes.  A `sent_*` count is of
    what we sent or our sending side did, a `recv_*` count of the receiving side.
    """

    __slots__ = (
        "belated_time_average",
        "ignored_control",
        "malformed",
        "out_of_window",
        "recv_ackacks",
        "recv_acks",
        "recv_belated",
        "recv_belated_bytes",
        "recv_bytes",
        "recv_control",
        "recv_dropped",
        "recv_dropped_bytes",
        "recv_duplicates",
        "recv_empty",
        "recv_light_acks",
        "recv_loss",
        "recv_naks",
        "recv_packets",
        "recv_retrans",
        "recv_retrans_bytes",
        "recv_unique_bytes",
        "recv_unique_packets",
        "reorder_distance",
        "retrans_bytes",
        "retransmits",
        "send_duration",
        "sent_ackacks",
        "sent_acks",
        "sent_drop_requests",
        "sent_dropped",
        "sent_dropped_bytes",
        "sent_light_acks",
        "sent_loss",
        "sent_naks",
        "sent_unique_bytes",
        "sent_unique_packets",
    )

    # sending side
    sent_unique_packets: int  # data packets sent for the first time
    sent_unique_bytes: int
    retransmits: int  # data packets sent again
    retrans_bytes: int
    sent_loss: int  # sequence numbers newly reported lost (NAK or our own timer)
    sent_dropped: int  # too late to send or to send again
    sent_dropped_bytes: int
    sent_ackacks: int
    sent_drop_requests: int
    recv_acks: int  # ACKs received, light ones apart
    recv_light_acks: int
    recv_naks: int
    send_duration: int  # microseconds during which the send buffer held something
    # receiving side
    recv_packets: int  # every data packet that arrived
    recv_bytes: int
    recv_unique_packets: int  # stored for the first time
    recv_unique_bytes: int
    recv_retrans: int  # arrived with the R bit
    recv_retrans_bytes: int
    recv_loss: int  # sequence numbers seen missing on arrival
    recv_dropped: int  # given up: too late, or dropped by the sender's word
    recv_dropped_bytes: int  # estimated by the average payload
    recv_belated: int  # arrived after we had moved past them; libsrt adds repeats of what is acknowledged and unread
    recv_belated_bytes: int
    belated_time_average: float  # milliseconds, smoothed as libsrt does (1/5)
    recv_duplicates: int  # arrived more than once
    recv_empty: int  # data packets without payload: never delivered
    out_of_window: int  # too far ahead for the buffer
    reorder_distance: int  # largest distance an original packet came late by
    sent_acks: int
    sent_light_acks: int
    sent_naks: int
    recv_ackacks: int
    # both
    recv_control: int
    ignored_control: int  # unknown types, or sense we cannot make of them
    malformed: int  # datagrams that are not SRT

    def __init__(self) -> None:
        for name in self.__slots__:
            setattr(self, name, 0)
        self.belated_time_average = 0.0

    def note_dropped(self, packets: int) -> None:
        """Count packets given up on the receiving side; their bytes are those of average packets."""
        self.recv_dropped += packets
        if self.recv_unique_packets:
            self.recv_dropped_bytes += packets * self.recv_unique_bytes // self.recv_unique_packets
