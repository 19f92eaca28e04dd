"""Results of panels in unusual cases: other jobs, replaced replicas, a quiet day.

In `tests/prometheus` a real Prometheus scrapes a real sidecar; here promtool evaluates the committed queries on synthetic
series.
"""

from pathlib import Path

import msgspec
import pytest
import yaml

from tests.dashboards import files
from tests.rules.promtool import called

ALL = {
    "$__rate_interval": "5m",
    "$__interval": "1m",
    "$__range": "2h",
    "$environment": ".*",
    "$job": ".+",
    "$instance": ".+",
}
"""Grafana's values for the variables if *All* is selected, and for a time range of two hours."""
INFO = 'reverb_sidecar_build_info{job="reverb-sidecar", instance="sidecar-0:8701", version="1"}'
UP = 'up{job="reverb-sidecar", instance="sidecar-0:8701"}'


def pods(name: str, labels: str, *values: str) -> dict[str, str]:
    """Return a metric of several pods, one value list for each."""
    return {
        f'reverb_sidecar_{name}{{{labels}, job="reverb-sidecar", instance="10.0.0.{number}:8701", pod="sidecar-{number}"}}': each
        for number, each in enumerate(values)
    }


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """Series of two hours, a panel, and its expected result at the end, rounded to 0.02."""

    says: str
    board: str
    title: str
    series: dict[str, str]
    answers: list[tuple[str, float]]
    """Labels and value of each series."""


ON_TIME, MISSED = 'outcome="on_time"', 'outcome="missed"'
OUTCOMES = "payment_outcomes_total"
REPLACED = pods(OUTCOMES, MISSED, "0x29 30x30 stale", "_x60 30x10 60x60") | pods(
    OUTCOMES, ON_TIME, "0x29 2970x30 stale", "_x60 2970x10 3940x60"
)
"""30 of 3000 payments failed during the first pod, and 30 of another 1000 during the second."""
AT_ONCE = pods(OUTCOMES, MISSED, *["0x29 30x10 60x100"] * 3) | pods(OUTCOMES, ON_TIME, *["0x29 2970x10 3940x100"] * 3)
"""The same, exported by three replicas."""

CASES = (
    Case(
        says="targets of other jobs do not count as replicas",
        board="overview",
        title="Scraped replicas",
        series={INFO: "1x120", UP: "1x120"}
        | {f'up{{job="node", instance="node-{number}:9100"}}': "1x120" for number in range(9)},
        answers=[('{job="reverb-sidecar"}', 1)],
    ),
    Case(
        says="a sidecar that is down does not count as a replica",
        board="overview",
        title="Scraped replicas",
        series={INFO: "1x60 stale", UP: "1x60 0x60"},
        answers=[('{job="reverb-sidecar"}', 0)],
    ),
    Case(
        says="series of other jobs are not included",
        board="itself",
        title="Series per replica",
        series={INFO: "1x120"}
        | {
            f'scrape_samples_scraped{{job="{job}", instance="{job}-0:8701"}}': "600x120"
            for job in ("reverb-sidecar", "node")
        },
        answers=[('{job="reverb-sidecar", instance="reverb-sidecar-0:8701"}', 600)],
    ),
    Case(
        says="the error budget includes replaced pods",
        board="overview",
        title="Error budget remaining",
        series=REPLACED,
        answers=[('{job="reverb-sidecar"}', -0.5)],
    ),
    Case(
        says="the error budget counts each payment once",
        board="overview",
        title="Error budget remaining",
        series=AT_ONCE,
        answers=[('{job="reverb-sidecar"}', -0.5)],
    ),
    Case(
        says="payments of the time range include replaced pods",
        board="payments",
        title="Payments by outcome in the selected time range",
        series=REPLACED,
        answers=[('{outcome="missed"}', 60), ('{outcome="on_time"}', 3940)],
    ),
    Case(
        says="payments of the time range are counted once",
        board="payments",
        title="Payments by outcome in the selected time range",
        series=AT_ONCE,
        answers=[('{outcome="missed"}', 60), ('{outcome="on_time"}', 3940)],
    ),
    Case(
        says="a version that returns after an hour is not new",
        board="overview",
        title="Sidecar versions",
        series={INFO: "1x30 stale _x85 1x10"},
        answers=[],
    ),
    Case(
        says="a new version is marked",
        board="overview",
        title="Sidecar versions",
        series={INFO: "_x118 1x10"},
        answers=[('{version="1"}', 1)],
    ),
)


def query(board: str, title: str) -> str:
    """Return the first query of a panel, or the query of an annotation."""
    document = files.DOCUMENTS[board]
    asked = {panel["title"]: panel["targets"][0]["expr"] for panel in files.panels(document)}
    asked |= {mark["name"]: mark["expr"] for mark in document["annotations"]["list"] if "expr" in mark}
    expr = str(asked[title])
    for variable, value in ALL.items():
        expr = expr.replace(variable, value)
    return expr


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_a_panel_has_the_expected_result(case: Case, tmp_path: Path) -> None:
    """Other jobs and the number of replicas do not change the result."""
    samples = [{"labels": labels, "value": value} for labels, value in case.answers]
    document = {
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
                "promql_expr_test": [
                    {
                        "expr": f"round({query(case.board, case.title)}, 0.02)",
                        "eval_time": "120m",
                        "exp_samples": samples,
                    }
                ],
            }
        ],
    }
    (tmp_path / "asked.yml").write_text(yaml.safe_dump(document))
    ended = called("promtool", "test", "rules", tmp_path / "asked.yml")
    assert ended.returncode == 0, ended.stdout + ended.stderr
