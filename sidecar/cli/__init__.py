"""What does each command do? It parses, calls and prints; exit code 0: yes or done, 1: no, 2: wrong usage or unknown.

One file for each group of commands, imported when one of them is called; `program.COMMANDS` lists them.
"""

import sys

from sidecar.cli.program import cli, fail

__all__ = ["cli", "main"]


def main() -> None:
    """Run the command line, and turn errors of the sidecar into a message and an exit code."""
    try:
        cli()
    except UnicodeEncodeError:
        fail("an argument is not valid UTF-8")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        from sidecar.ports import SidecarError  # noqa: PLC0415 - no help and no version needs it

        if not isinstance(error, SidecarError):
            raise
        fail(error.message)
