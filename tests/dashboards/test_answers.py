"""What panels answer in worlds that are not the usual one: other jobs, replicas that come and go, a quiet day.

`tests/prometheus` lets a real Prometheus scrape a real sidecar; here promtool asks the committed queries of series that
never happened.
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
"""What Grafana puts in where *All* is chosen everywhere, and the last two hours are shown."""
INFO = 'reverb_sidecar_build_info{job="reverb-sidecar", instance="sidecar-0:8701", version="1"}'
UP = 'up{job="reverb-sidecar", instance="sidecar-0:8701"}'


def pods(name: str, labels: str, *values: str) -> dict[str, str]:
    """Return a metric as the pods told it, one after the other or at once."""
    return {
        f'reverb_sidecar_{name}{{{labels}, job="reverb-sidecar", instance="10.0.0.{number}:8701", pod="sidecar-{number}"}}': each
        for number, each in enumerate(values)
    }


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A world of two hours, a panel, and what it must answer at the end, to two hundredths."""

    says: str
    board: str
    title: str
    series: dict[str, str]
    answers: list[tuple[str, float]]
    """(labels, value) of each series."""


ON_TIME, MISSED = 'outcome="on_time"', 'outcome="missed"'
OUTCOMES = "payment_outcomes_total"
REPLACED = pods(OUTCOMES, MISSED, "0x29 30x30 stale", "_x60 30x10 60x60") | pods(
    OUTCOMES, ON_TIME, "0x29 2970x30 stale", "_x60 2970x10 3940x60"
)
"""Of 3000 payments 30 failed while the first pod ran, and of 1000 more another 30 while the second did."""
AT_ONCE = pods(OUTCOMES, MISSED, *["0x29 30x10 60x100"] * 3) | pods(OUTCOMES, ON_TIME, *["0x29 2970x10 3940x100"] * 3)
"""The same, told by three replicas."""

CASES = (
    Case(
        says="other jobs of the same Prometheus are no replicas of ours",
        board="overview",
        title="Scraped replicas",
        series={INFO: "1x120", UP: "1x120"}
        | {f'up{{job="node", instance="node-{number}:9100"}}': "1x120" for number in range(9)},
        answers=[('{job="reverb-sidecar"}', 1)],
    ),
    Case(
        says="a sidecar that was scraped an hour ago and is gone is none",
        board="overview",
        title="Scraped replicas",
        series={INFO: "1x60 stale", UP: "1x60 0x60"},
        answers=[('{job="reverb-sidecar"}', 0)],
    ),
    Case(
        says="series of other jobs are not ours",
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
        says="the budget is that of all pods that told of it",
        board="overview",
        title="Error budget left",
        series=REPLACED,
        answers=[('{job="reverb-sidecar"}', -0.5)],
    ),
    Case(
        says="the budget is spent once, and not by each replica",
        board="overview",
        title="Error budget left",
        series=AT_ONCE,
        answers=[('{job="reverb-sidecar"}', -0.5)],
    ),
    Case(
        says="payments of the time shown are those of all pods",
        board="payments",
        title="Payments by outcome, in the time shown",
        series=REPLACED,
        answers=[('{outcome="missed"}', 60), ('{outcome="on_time"}', 3940)],
    ),
    Case(
        says="payments of the time shown are not counted for each replica",
        board="payments",
        title="Payments by outcome, in the time shown",
        series=AT_ONCE,
        answers=[('{outcome="missed"}', 60), ('{outcome="on_time"}', 3940)],
    ),
    Case(
        says="a version that was away for an hour is not new",
        board="overview",
        title="Sidecar's versions",
        series={INFO: "1x30 stale _x85 1x10"},
        answers=[],
    ),
    Case(
        says="a version that is new is marked",
        board="overview",
        title="Sidecar's versions",
        series={INFO: "_x118 1x10"},
        answers=[('{version="1"}', 1)],
    ),
)


def query(board: str, title: str) -> str:
    """Return the first query of a panel, or that of a mark."""
    document = files.DOCUMENTS[board]
    asked = {panel["title"]: panel["targets"][0]["expr"] for panel in files.panels(document)}
    asked |= {mark["name"]: mark["expr"] for mark in document["annotations"]["list"] if "expr" in mark}
    expr = str(asked[title])
    for variable, value in ALL.items():
        expr = expr.replace(variable, value)
    return expr


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_a_panel_answers_rightly(case: Case, tmp_path: Path) -> None:
    """Whatever else is scraped, and whoever tells of it."""
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
