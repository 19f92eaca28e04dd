"""Print the table of worlds; `--write` puts it into `docs/how-it-decides.md`; `--json` prints the figures alone."""

import argparse
import sys

import msgspec

from tests.core.worlds.rows import live
from tests.core.worlds.table import ROWS, documented, line, write


def main() -> None:
    """Live through the worlds whose name contains a word, or through all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="update the page; rows that are not run keep their line")
    parser.add_argument("--json", action="store_true", help="print what `before.json` keeps, for this version")
    parser.add_argument("word", nargs="?", default="", help="run only the worlds whose key contains it")
    arguments = parser.parse_args()
    known = {each.rsplit(" | ", 9)[0]: each for each in documented()}
    shown, lines = {}, []
    for row in ROWS:
        if arguments.word.lower() not in row.key.lower():
            lines.append(known.get(f"| {row.key}", ""))
            continue
        sum_ = live(row)
        shown[row.key] = sum_.shown()
        if arguments.json:
            print(row.key, sum_, file=sys.stderr, flush=True)
        if not arguments.json:
            lines.append(line(row, sum_))
            print(f"{'' if row.keeps(sum_) else 'NOT AS PROMISED '}{lines[-1]}", flush=True)
    if arguments.json:
        print(msgspec.json.format(msgspec.json.encode(shown)).decode())
    if arguments.write:
        write([each for each in lines if each])


if __name__ == "__main__":
    main()
