"""What the benchmark measures of file mode: streams, messages, encrypted streams, as fast as they go.

Lives here: the measurements and their targets.
Never here: how a run goes (bench_runs.py), repetitions and tables (srt_bench.py), bad paths (file_fairness.py).

Both libraries get the same buffers and windows, and pieces of the same size to send.
"""

from __future__ import annotations

from typing import Final

from tools.bench_runs import KERNEL_ROOM, RATES, ROOM, Measurement, Settings, Target, throughput

PIECE: Final = 65_536
MESSAGE: Final = 50_000
STREAM: Final = {"transtype": "file", "messageapi": 0, "size": PIECE, "check": 0, **ROOM, **KERNEL_ROOM}
MESSAGES: Final = STREAM | {"messageapi": 1, "size": MESSAGE}
ENCRYPTED: Final = {"passphrase": "a passphrase for the benchmark", "pbkeylen": 16}


def as_fast_as_it_goes(name: str, about: str, both: Settings, least: float) -> Measurement:
    """Return the measurement of a transfer that nothing slows down, ours at least so many times libsrt's rate."""
    return Measurement(
        name=name,
        about=about,
        figures=throughput,
        shown=RATES,
        both=both,
        only_srtpy={"call": "read" if both["messageapi"] == 0 else ""},
        targets=(Target(figure="mbit_s", pair=("srtpy", "srtpy"), at_least=least),),
    )


FILE_MEASUREMENTS: Final = (
    as_fast_as_it_goes("file_stream", "a stream of bytes, 64 kB a call", STREAM, 1.5),
    as_fast_as_it_goes("file_aes", "the same, encrypted with AES-128", STREAM | ENCRYPTED, 1.2),
    as_fast_as_it_goes("file_messages", "messages of 50 kB", MESSAGES, 1.2),
)
