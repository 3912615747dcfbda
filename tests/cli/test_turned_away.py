"""What a listening command tells about callers it did not let in."""

import logging
import threading

import pytest

import srtpy
from srtpy.cli.endpoints import open_end
from srtpy.cli.turned_away import telling


def test_handshakes_are_told_and_nothing_else() -> None:
    said: list[str] = []
    log = telling(said.append)
    log.info("%s", "refused 10.0.0.1:5: BAD_SECRET (1010)", extra={"category": "handshake"})
    log.debug("a detail", extra={"category": "handshake"})
    log.warning("a buffer is small", extra={"category": "mux"})
    log.warning("of no category")
    assert said == ["refused 10.0.0.1:5: BAD_SECRET (1010)"]
    assert not logging.getLogger("srtpy").isEnabledFor(logging.INFO)  # everybody else's is as it was


@pytest.mark.parametrize(("passphrase", "name"), [("not the one it is", "BAD_SECRET"), ("", "UNSECURE")])
def test_a_listening_end_says_whom_it_refused_and_why(passphrase: str, name: str) -> None:
    said: list[str] = []
    told = threading.Event()

    def say(text: str) -> None:
        said.append(text)
        if "refused" in text:
            told.set()

    end = open_end("srt://127.0.0.1:0?mode=listener&passphrase=the one it is", is_source=True)
    end.say = say

    def wait_for_a_caller() -> None:
        with pytest.raises(srtpy.ConnClosedError):
            end.open()

    opening = threading.Thread(target=wait_for_a_caller)
    opening.start()
    try:
        while not said:
            opening.join(0.01)
        port = int(said[0].rpartition(" ")[2])
        with pytest.raises(srtpy.RejectedError):
            srtpy.dial(("127.0.0.1", port), passphrase=passphrase)
        assert told.wait(30)
    finally:
        end.stop.set()
        opening.join()
        end.close()
    assert said[-1].startswith("refused 127.0.0.1:")
    assert name in said[-1]
    assert "the one it is" not in "".join(said)
