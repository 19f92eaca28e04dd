"""The command line: parse, call, print, exit code. 0: yes, or done. 1: no. 2: wrong usage, or it cannot be known.

One file for each group of commands; they are imported here in the order in which `sidecar --help` lists them.
"""

import sys

# isort: off
from sidecar.cli import run, doctor, check, backup, explain, operator_actions  # noqa: F401 - each registers its
from sidecar.cli import gate, report, notifications  # noqa: F401 - commands

# isort: on
from sidecar.cli.program import cli, fail
from sidecar.ports import SidecarError

__all__ = ["cli", "main"]


def main() -> None:
    """Run the command line, and turn our errors into a sentence and an exit code."""
    try:
        cli()
    except SidecarError as error:
        fail(error.message)
    except UnicodeEncodeError:
        fail("an argument is not text in UTF-8")
    except KeyboardInterrupt:
        sys.exit(130)
