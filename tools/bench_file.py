"""What the benchmark measures of file mode: streams, messages, encrypted streams, as fast as they go.

Lives here: the measurements and their targets.
Never here: how a run goes (bench_runs.py), repetitions and tables (srt_bench.py), bad paths (file_fairness.py).

Both libraries have the buffers they have by default, and pieces of the same size to send.
"""

from __future__ import annotations

from typing import Final

from tools.bench_runs import Figures, Measurement, Report, Settings, Target, cpu, memory

SHOWN: Final = ("mbit_s", "resent_%", "send_us/MB", "recv_us/MB", "send_MB", "recv_MB")
PIECE: Final = 65_536
MESSAGE: Final = 50_000
STREAM: Final = {"transtype": "file", "messageapi": 0, "size": PIECE, "check": 0}
MESSAGES: Final = STREAM | {"messageapi": 1, "size": MESSAGE}
ENCRYPTED: Final = {"passphrase": "a passphrase for the benchmark", "pbkeylen": 16}


def carried(sent: Report, got: Report) -> Figures:
    """Take rate, what was sent again, the cost of a million bytes on each side, and memory."""
    return {
        "mbit_s": got["mbit_s"],
        "resent_%": 100 * sent["stats"]["retransmitted"] / max(sent["stats"]["sent_unique"], 1),
        "send_us/MB": 1e12 * cpu(sent) / max(sent["bytes"], 1),
        "recv_us/MB": 1e12 * cpu(got) / max(got["bytes"], 1),
        **memory(sent, got),
    }


def as_fast_as_it_goes(name: str, about: str, both: Settings, least: float) -> Measurement:
    """Return the measurement of a transfer that nothing slows down, ours at least so many times libsrt's rate."""
    return Measurement(
        name=name,
        about=about,
        figures=carried,
        shown=SHOWN,
        both=both,
        only_srtpy={"call": "read" if both["messageapi"] == 0 else ""},
        targets=(Target(figure="mbit_s", pair=("srtpy", "srtpy"), at_least=least),),
    )


FILE_MEASUREMENTS: Final = (
    as_fast_as_it_goes("file_stream", "a stream of bytes, 64 kB a call", STREAM, 1.5),
    as_fast_as_it_goes("file_aes", "the same, encrypted with AES-128", STREAM | ENCRYPTED, 1.2),
    as_fast_as_it_goes("file_messages", "messages of 50 kB", MESSAGES, 1.2),
)
