from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import resource, sys
from srtpy.internal.session.blocks import keep_freed_blocks

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(200):
        blocks = [b"x" * 70_000 for _ in range(20)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if sys.argv[1] == "kept":
    keep_freed_blocks()
    keep_freed_blocks()
print(faults())
"""


def page_faults(how: str) -> int:
    """Return how often the kernel has to find memory for blocks that come and go, in a program of its own."""
    outcome = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, timeout=60)
    assert outcome.returncode == 0, outcome.stderr
    return int(outcome.stdout)


def test_freed_blocks_are_kept_for_the_next() -> None:
    assert page_faults("kept") * 10 < page_faults("given back")
