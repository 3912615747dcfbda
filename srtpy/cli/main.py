"""The command `srtpy`: its subcommands, its exit statuses, one place for errors.

Lives here: the parser, the interpreter's settings for a program that streams, what an
exception becomes on the terminal.
Never here: what a subcommand does.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

import srtpy
from srtpy.cli import demo, file, live, probe


def _version() -> str:
    try:
        return version("srtpy")
    except PackageNotFoundError:
        return "(not installed)"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    made = argparse.ArgumentParser(
        prog="srtpy", description="SRT (Secure Reliable Transport) streams from the command line."
    )
    made.add_argument("--version", action="version", version=f"srtpy {_version()}")
    commands = made.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (demo, live, file, probe):
        command.add_arguments(commands)
    return made


def _warn(message: Warning | str, *_place: object, **_more: object) -> None:
    """Show a warning as people read it: they have written no line of code."""
    print(f"srtpy: warning: {message}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status: 0 success, 1 failure, 2 usage, 130 interrupted, others: `--help`."""
    options = parser().parse_args(arguments)
    try:
        with srtpy.low_latency(), warnings.catch_warnings():
            warnings.showwarning = _warn
            return int(options.run(options))
    except KeyboardInterrupt:
        print("srtpy: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError as error:
        if isinstance(error, srtpy.SRTError):
            print(f"srtpy: {error}", file=sys.stderr)
            return 1
        # whoever read our standard output is gone: that ends a pipeline without a word
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, ValueError, ModuleNotFoundError) as error:  # an extra that is not installed is named
        print(f"srtpy: {error}", file=sys.stderr)
        return 2 if isinstance(error, ValueError) and not isinstance(error, OSError) else 1


if __name__ == "__main__":
    sys.exit(main())
