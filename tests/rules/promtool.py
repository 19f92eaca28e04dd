"""promtool, which evaluates rules on synthetic series."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import yaml

ROOT = Path(__file__).parents[2]
_SHORT_LIVED = {"GOMAXPROCS": "1", "GOGC": "400"}
"""Less garbage collection: it takes a third of the time of a process that runs for a second."""
_TRIED = 'group by (alertname, severity, window) (ALERTS{alertstate="firing", alertname!="ReverbSidecarWatchdog"})'

Fired = tuple[tuple[str, str], ...]
"""Name and severity of each firing alert; the name is followed by its window, if it has one."""


class World(msgspec.Struct, frozen=True, kw_only=True):
    """Synthetic scrapes until a given minute."""

    minutes: int
    series: dict[str, str]
    """In promtool's notation, one value for each `step_minutes`."""
    step_minutes: float = 1


def tool(name: str) -> str:
    """Return the path of one of Prometheus' tools."""
    found = shutil.which(name, path=f"{ROOT / '.tools'}{os.pathsep}{os.environ['PATH']}")
    assert found is not None, f"{name} is missing: `make .tools/{name}` fetches it"
    return found


def called(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one of Prometheus' tools."""
    return subprocess.run(
        [tool(name), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | _SHORT_LIVED,
    )


def tried(folder: Path, rules: str, world: World, expected: Fired, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run `promtool test rules`: exactly the expected alerts must fire at the end."""
    (folder / "rules.yml").write_text(rules)
    at = f"{world.minutes}m"
    samples = [{"labels": _labels(*fired), "value": 1} for fired in expected]
    step = f"{60 * world.step_minutes:.0f}s"
    document = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": step,
        "group_eval_order": [group["name"] for group in yaml.load(rules, yaml.CSafeLoader)["groups"]],
        "tests": [
            {
                "interval": step,
                "input_series": [{"series": name, "values": values} for name, values in world.series.items()],
                "promql_expr_test": [{"expr": _TRIED, "eval_time": at, "exp_samples": samples}],
                **more,
            }
        ],
    }
    (folder / "test.yml").write_text(yaml.safe_dump(document, sort_keys=False))
    return called("promtool", "test", "rules", folder / "test.yml")


def _labels(alert: str, severity: str) -> str:
    name, _, window = alert.partition(" ")
    return f'{{alertname="{name}", severity="{severity}"' + (f', window="{window}"}}' if window else "}")
