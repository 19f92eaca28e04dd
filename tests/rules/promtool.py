"""Prometheus' own tool, which tries rules on series that never happened."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import yaml

ROOT = Path(__file__).parents[2]
_SHORT_LIVED = {"GOMAXPROCS": "1", "GOGC": "400"}
"""A Go program that ends in a second need not collect its garbage beside its work: a third of its time."""
_TRIED = 'group by (alertname, severity, window) (ALERTS{alertstate="firing", alertname!="ReverbSidecarWatchdog"})'

Fired = tuple[tuple[str, str], ...]
"""(alert, severity) of each that fires; behind the alert's name its window, where it has one."""


class World(msgspec.Struct, frozen=True, kw_only=True):
    """What Prometheus would have scraped, and until when."""

    minutes: int
    series: dict[str, str]
    """In promtool's notation, one value each `step_minutes`."""
    step_minutes: float = 1


def tool(name: str) -> str:
    """Return where one of Prometheus' tools is."""
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
        timeout=100,
        env=os.environ | _SHORT_LIVED,
    )


def tried(folder: Path, rules: str, world: World, expected: Fired, **more: Any) -> subprocess.CompletedProcess[str]:
    """Let `promtool test rules` say whether exactly the expected alerts fire at the end of this world."""
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
