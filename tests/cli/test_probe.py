"""`srtpy probe`: what it prints, and what its exit status says."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import srtpy
from srtpy.cli.main import main
from srtpy.cli.probe import STATUSES

PASSPHRASE = "0123456789ab"
LOCAL = ("127.0.0.1", 0)


def probe(listener: srtpy.Listener, *more: str) -> int:
    host, port = listener.local_addr[:2]
    return main(["probe", f"srt://{host}:{port}?" + "&".join(more)])


def test_a_listener_in_clear(capsys: pytest.CaptureFixture[str]) -> None:
    with srtpy.listen(LOCAL, recv_latency=0.3, peer_latency=0.05) as listener:
        assert probe(listener, "latency=80") == 0
    said = capsys.readouterr().out
    assert "is an SRT listener" in said
    for words in ("1.5.5", "300 ms to the listener, 80 ms back", "none"):
        assert words in said


@pytest.mark.parametrize(
    ("keys", "words"),
    [("pbkeylen=0", "AES-128-CTR"), ("pbkeylen=32", "AES-256-CTR"), ("cryptomode=2", "AES-128-GCM")],
)
def test_an_encrypted_listener(keys: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with srtpy.listen(LOCAL, passphrase=PASSPHRASE) as listener:
        assert probe(listener, f"passphrase={PASSPHRASE}", keys) == 0
    said = capsys.readouterr()
    assert words in said.out
    assert PASSPHRASE not in said.out + said.err


def test_keys_that_do_not_fit_where_that_is_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    with srtpy.listen(LOCAL, passphrase=PASSPHRASE, enforced_encryption=False) as listener:
        assert probe(listener, "passphrase=another one", "enforcedencryption=0") == 0
    assert "not agreed on (sending: bad_secret, receiving: bad_secret)" in capsys.readouterr().out


Judge = Callable[[srtpy.ConnRequest], Any]


@pytest.mark.parametrize(
    ("config", "judge", "keys", "status", "words"),
    [
        ({"passphrase": PASSPHRASE}, None, "passphrase=another one", 5, "BAD_SECRET, 1010): wrong passphrase"),
        ({"passphrase": PASSPHRASE}, None, "", 5, "no passphrase is set here"),
        ({}, None, f"passphrase={PASSPHRASE}", 5, "the listener has none"),
        (
            {"passphrase": PASSPHRASE, "crypto_mode": 2},
            None,
            f"passphrase={PASSPHRASE}&cryptomode=1",
            5,
            "here it is CTR",
        ),
        ({}, lambda request: False, "", 6, "PEER, 1002"),
        ({}, lambda request: 1403, "streamid=x", 6, "X_FORBIDDEN, 1403): the peer denies access"),
        ({}, lambda request: 2007, "streamid=x", 6, "2007"),
        ({"min_version": "1.9.0"}, None, "", 7, "newer SRT version than ours, 1.5.5"),
        ({}, None, "minversion=1.9.0", 7, "the peer has SRT version 1.5.5"),
    ],
)
def test_refusals(
    config: dict[str, Any],
    judge: Judge | None,
    keys: str,
    status: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with srtpy.listen(LOCAL, accept=judge, **config) as listener:
        assert probe(listener, keys) == status
        said = capsys.readouterr()
        assert words in said.err
        assert not said.out
        assert PASSPHRASE not in said.err
        assert probe(listener, keys) == status, "again, and the same"


def test_nobody_and_silence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(LOCAL)
        port = mute.getsockname()[1]
        assert main(["probe", f"srt://127.0.0.1:{port}?conntimeo=100"]) == 4
        assert "nobody answered" in capsys.readouterr().err
    assert main(["probe", f"srt://127.0.0.1:{port}?conntimeo=300"]) == 3
    assert "nobody listens on 127.0.0.1:" in capsys.readouterr().err


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "srt://:9000"]) == 2
    assert main(["probe", "srt://127.0.0.1:9000?passphrase=short"]) == 2
    said = capsys.readouterr().err
    assert "what can be probed is a listener" in said
    assert "short" not in said


def test_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    with srtpy.listen(LOCAL, passphrase=PASSPHRASE) as listener:
        host, port = listener.local_addr[:2]
        assert main(["probe", "--json", f"srt://{host}:{port}?passphrase={PASSPHRASE}"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["connected"], found["version"], found["encryption"]) == (True, "1.5.5", "AES-128-CTR")
        assert main(["probe", "--json", f"srt://{host}:{port}"]) == 5
    found = json.loads(capsys.readouterr().out)
    assert (found["address"], found["connected"]) == (f"{host}:{port}", False)
    assert (found["reason"], found["code"]) == ("UNSECURE", 1011)
    assert "set the listener's" in found["error"]


def test_the_status_is_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["probe", "--help"])
    assert "refused for encryption" in capsys.readouterr().out


def test_the_manual_has_every_status_in_the_same_words() -> None:
    manual = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    assert STATUSES in manual
