"""Command line: every subcommand prints what the pages show, as text or as JSON.

A command imports what it needs when it runs, so that `--help` and `cases` answer at once.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from lemons_core.base import config
from lemons_core.base.errors import LemonsError
from lemons_core.base.io import file_error
from lemons_core.cli import cases, collection, evaluate, labels, notes, predict, train
from lemons_core.cli.common import Handler


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 failed with a message, 2 wrong usage, 130 interrupted."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except LemonsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever reads the output, such as `head`, has seen enough
        _give_up_output()
        return 1
    except OSError as error:
        where = "" if _give_up_output() else "standard output"
        print(f"error: {file_error(error, where=where)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def _give_up_output() -> bool:
    """Throw away what standard output does not take: Python would try again at its end, with a traceback.

    Returns whether it has taken everything
    """
    try:
        sys.stdout.flush()
        return True
    except OSError:
        with suppress(OSError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.stdout.fileno())
            os.close(null)
        return False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lemons_core",
        description="Breast calcifications in mammograms: data, training and prediction.",
        epilog=config.NOTICE,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Handler | None, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text, epilog=config.NOTICE)
        sub.set_defaults(run=run)
        return sub

    for part in (cases, collection, labels, notes, train, evaluate, predict):
        part.register(command)
    return parser
