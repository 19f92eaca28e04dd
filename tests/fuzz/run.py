"""Coverage-guided fuzzing of parsers, one after the other: `python -m tests.fuzz.run --seconds 60 webhook_body`.

Ends with 0 when nothing was found; otherwise atheris prints the traceback and the bytes. Each has a process of its own,
in which libFuzzer ends; all come from one that has read and instrumented the code, which takes longer than many a run.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import atheris


def main() -> int:
    """Run the targets for a bounded time or number of executions each; return how many found something."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", nargs="*", help="all parsers, where none is named")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--runs", type=int, default=-1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with atheris.instrument_imports(include=["sidecar", "tests.fuzz"]):
        from tests.fuzz.targets import PARSERS, SEEDS, TARGETS  # noqa: PLC0415 - instrumented as they are imported
    limits = [f"-max_total_time={options.seconds}", f"-runs={options.runs}", f"-seed={options.seed}"]
    found = 0
    for name in options.target or PARSERS:
        print(f"fuzzing {name} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="reverb-sidecar-corpus-") as corpus:
            for number, seed in enumerate(SEEDS[name]):
                (Path(corpus) / str(number)).write_bytes(seed)
            child = os.fork()
            if child == 0:
                sizes = ["-max_len=20000", "-timeout=5", "-rss_limit_mb=2048", f"-artifact_prefix={corpus}/"]
                atheris.Setup([sys.argv[0], corpus, *limits, *sizes], TARGETS[name])
                atheris.Fuzz()
            _, status = os.waitpid(child, 0)
            found += status != 0
    return found


if __name__ == "__main__":
    sys.exit(main())
