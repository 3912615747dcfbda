"""What the README says is so: its programs run, its table of settings is the table."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import fields
from enum import Enum
from pathlib import Path

import srtpy
from srtpy.cli.file_outcome import Status
from srtpy.cli.main import parser
from srtpy.config import Config
from srtpy.settings import RULES
from tests.conftest import free_port
from tests.interop.cells import wait_until_bound

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BEGIN, END = "<!-- settings: begin -->\n", "<!-- settings: end -->"


def table() -> str:
    """Return the table of settings as it should be."""
    lines = ["| field | default | what it is | allowed |", "|---|---|---|---|"]
    for one in fields(Config):
        rule = RULES[one.name]
        lines.append(f"| `{one.name}` | `{_default(one.name, one.default)}` | {rule.means} | {rule.allowed()} |")
    return "\n".join(lines) + "\n"


def _default(name: str, value: object) -> str:
    if name == "min_version" and isinstance(value, int):
        return f"0x{value:06X}"
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    return '""' if value == "" else repr(value)


def programs() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_table_of_settings() -> None:
    assert README.split(BEGIN)[1].split(END)[0] == table()


def test_the_first_two_programs_talk_to_each_other(tmp_path: Path) -> None:
    port = str(free_port())
    receiver, sender = (program.replace("9000", port).replace("0.2", "0.05") for program in programs()[:2])
    data = bytes(range(256)) * 500
    space = {"PYTHONPATH": str(ROOT)}
    listening = subprocess.Popen([sys.executable, "-c", receiver], cwd=tmp_path, env=space)
    try:
        wait_until_bound(int(port))
        subprocess.run([sys.executable, "-c", sender], input=data, check=True, cwd=tmp_path, env=space, timeout=60)
        assert listening.wait(60) == 0
    finally:
        listening.kill()
        listening.wait()
    assert (tmp_path / "received.ts").read_bytes() == data


def test_every_program_is_python() -> None:
    for program in programs():
        compile(program, "README.md", "exec")


def test_every_command_line_is_one() -> None:
    blocks = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
    lines = [line for language, block in blocks if not language for line in block.splitlines()]
    commands = [shlex.split(line.split(" | ")[0], comments=True) for line in lines if line.startswith("srtpy ")]
    assert len(commands) > 10
    for words in commands:
        assert parser().parse_args(words[1:]).run


def test_the_exit_statuses_of_file_transfers() -> None:
    told = {int(number) for number in re.findall(r"^\| (\d+) \| ", README, re.MULTILINE)}
    assert told == {int(status) for status in Status}


def test_what_it_says_of_urls() -> None:
    config = srtpy.Config(latency=0.2, stream_id="live/a")
    assert f"# {config.to_ffmpeg_url('example.net:9000')}\n" in README


def test_every_name_it_uses_exists() -> None:
    for name in re.findall(r"\bsrtpy\.([a-z_A-Z]+)", README):
        assert hasattr(srtpy, name) or name in ("handshake", "conn"), name
    for name in re.findall(r"`stats\.(\w+)`|`(recv_\w+|sent_\w+)`", README):
        word = next(filter(None, name))
        assert word in {*RULES, *srtpy.ConnStats.__dataclass_fields__}, word


def test_every_file_it_names_exists() -> None:
    for name in re.findall(
        r"`((?:examples|tools)/[\w.-]+|[A-Z]+\.md|LICENSE)`|^\./(tools/[\w-]+)", README, re.MULTILINE
    ):
        assert (ROOT / next(filter(None, name))).is_file()
