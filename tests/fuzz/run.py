"""Coverage-guided fuzzing of one parser: `python -m tests.fuzz.run --seconds 60 webhook_body`.

Ends with 0 when nothing was found; otherwise atheris prints the traceback and the bytes.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import atheris


def main() -> None:
    """Run one target for a bounded time or number of executions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--runs", type=int, default=-1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with atheris.instrument_imports(include=["sidecar", "tests.fuzz"]):
        from tests.fuzz.targets import SEEDS, TARGETS  # noqa: PLC0415 - instrumented as they are imported
    with tempfile.TemporaryDirectory(prefix="reverb-sidecar-corpus-") as corpus:
        for number, seed in enumerate(SEEDS[options.target]):
            (Path(corpus) / str(number)).write_bytes(seed)
        limits = [f"-max_total_time={options.seconds}", f"-runs={options.runs}", f"-seed={options.seed}"]
        sizes = ["-max_len=20000", "-timeout=5", "-rss_limit_mb=2048", f"-artifact_prefix={corpus}/"]
        atheris.Setup([sys.argv[0], corpus, *limits, *sizes], TARGETS[options.target])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
