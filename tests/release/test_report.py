"""`sidecar report`: one file for the release record, with visible gaps."""

import re
import stat
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from sidecar.console.report import Report, markdown, page, report_of
from sidecar.console.report.sections import ROWS_MAX, sections
from sidecar.core.facts.policy import Mode
from sidecar.core.fold.history import Condition, EventKind
from sidecar.core.fold.serving import Reason
from sidecar.core.release.checks import Process, Question
from tests.core.world import DAY, HOUR, MINUTE
from tests.e2e.processes import free_port
from tests.release.asked import listening, sidecar
from tests.release.prepared import NOW_MS, Past
from tests.release.test_plots import past

LIVE = Process(is_livemode=True, reason=Reason.CURRENT_RUNG)
EVIL = "<script>alert(1)</script> | `x` *y* [z](javascript:w) ![i](http://e.test/) \n# h & \"q\" 'p'"


def report(prepared: Past, since_ms: int = 30 * DAY) -> Report:
    """Return the report of a past."""
    return report_of(prepared.state, since_ms, Question(environment="test"), LIVE)


class Page(HTMLParser):
    """The elements, attributes and texts of an HTML page."""

    def __init__(self, body: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self.texts: list[str] = []
        self.feed(body)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect an element."""
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value or "")
            if name in {"href", "src", "action", "xlink:href"}:
                self.addresses.append(value or "")

    def handle_data(self, data: str) -> None:
        """Collect a text."""
        self.texts.append(data)


def test_a_report_has_every_section() -> None:
    """In HTML and in Markdown."""
    prepared = past()
    prepared.state.chain = "ab" * 32
    reported = report(prepared)
    keys = [section.key for section in sections(reported)]
    assert keys[:7] == ["verdict", "period", "compared", "served", "outcomes", "latency", "evidence"]
    assert {
        "moves",
        "suspensions",
        "other_suspensions",
        "blind",
        "alarms",
        "releases",
        "actions",
        "unmeasured",
        "policy",
        "record",
    } <= set(keys)
    for body in (page(reported), markdown(reported)):
        assert "ab" * 32 in body
        assert reported.policy_hash in body
        assert reported.version in body
        assert "Ville" in body
        assert "Not yet" in body


def test_times_are_to_the_millisecond_and_add_up_to_the_period() -> None:
    """Over a month: served and blind time, counted once."""
    prepared = Past(served_ms=20 * DAY)
    prepared.interrupt(8 * DAY, 2 * HOUR + 1, Condition.REVERB_UNSTABLE)
    prepared.interrupt(5 * DAY, 6 * HOUR, Condition.BLIND)
    times = report(prepared).times
    assert times.known_ms == 30 * DAY
    assert times.conditions_ms[Condition.REVERB_UNSTABLE] == 2 * HOUR + 1
    assert times.conditions_ms[Condition.BLIND] == 6 * HOUR
    assert times.for_all_ms[Mode.PUSH_ONLY] == 20 * DAY - 8 * HOUR - 1
    assert sum(times.for_all_ms.values()) == 30 * DAY - 6 * HOUR


def test_the_report_of_a_young_journal_states_its_begin() -> None:
    """Three days of history must not look like 30 good days."""
    prepared = Past()
    prepared.state.history.since_ms = NOW_MS - 3 * DAY
    prepared.state.history.spans = prepared.state.history.spans[1:]
    prepared.state.history.spans[0].at_ms = NOW_MS - 3 * DAY
    reported = report(prepared)
    assert reported.complete_from_ms == NOW_MS - 3 * DAY
    assert reported.times.known_ms == 3 * DAY
    assert "Known from" in page(reported)
    assert "the history is not older" in markdown(reported)


def test_waived_reports_and_a_dry_run_are_in_every_report() -> None:
    """Both limit what the report proves."""
    prepared = Past()
    assert prepared.state.policy is not None
    prepared.state.policy = msgspec.structs.replace(prepared.state.policy, reach_not_required="a kiosk", dry_run=True)
    for body in (page(report(prepared)), markdown(report(prepared))):
        assert "not required: a kiosk" in body
        assert "nobody was served push" in body


def test_unmeasured_payments_are_listed_with_their_meaning() -> None:
    """The most frequent reason first, then payments that the filter wrongly excluded."""
    prepared = Past()
    hour = prepared.state.history.hours[-50]
    hour.unmeasured, hour.outcomes.unmeasured, hour.contradicted = {"redelivered": 3, "cut_off": 4}, 7, 2
    found = next(section for section in sections(report(prepared)) if section.key == "unmeasured")
    assert found.table is not None
    assert [row[:2] for row in found.table.rows] == [
        ("Sidecar frozen", "4"),
        ("Webhook redelivered", "3"),
        ("contradicted", "2"),
    ]
    assert all(row[2] for row in found.table.rows)


def test_long_tables_are_cut_and_counted() -> None:
    """A thousand alarms are a number, not thirty pages."""
    prepared = Past()
    for number in range(ROWS_MAX + 5):
        prepared.mark((number + 1) * HOUR, EventKind.ALARM_RAISED, "reach")
    found = next(section for section in sections(report(prepared)) if section.key == "alarms")
    assert found.table is not None
    assert len(found.table.rows) == ROWS_MAX
    assert found.table.rows[-1][0] == "16 Mar 2027, 08:00 UTC", "the newest are kept"
    assert found.paragraphs == (f"{ROWS_MAX + 5} in this period; the last {ROWS_MAX} are listed.",)


def test_a_suspension_has_its_reason() -> None:
    """From the event at its beginning."""
    prepared = Past()
    prepared.interrupt(2 * DAY, 20 * MINUTE, Condition.SUSPENDED)
    prepared.mark(2 * DAY, EventKind.SUSPENSION_BEGAN, "source_down")
    found = next(section for section in sections(report(prepared)) if section.key == "other_suspensions")
    assert found.table is not None
    assert found.table.rows[0][1:] == ("20 min", "source down")


def evil() -> Report:
    """Return a report with hostile texts in every field that people write."""
    prepared = past()
    prepared.release(1 * DAY, EVIL, 100)
    prepared.mark(2 * DAY, EventKind.ACTION, EVIL)
    prepared.mark(3 * DAY, EventKind.FELL, EVIL)
    assert prepared.state.policy is not None
    prepared.state.policy = msgspec.structs.replace(prepared.state.policy, reach_not_required=EVIL)
    return report(prepared)


def test_a_page_is_self_contained_and_has_no_script() -> None:
    """It may be opened years later, from an email."""
    found = Page(page(evil()))
    assert not {"script", "iframe", "img", "link", "object", "form", "a"} & set(found.tags)
    assert not {name for name in found.attributes if name.startswith("on") or name == "style"}
    assert found.addresses == []
    assert len(found.ids) == len(set(found.ids))
    assert "default-src 'none'; style-src 'unsafe-inline'" in page(evil())
    assert sum("<script>alert(1)</script>" in text for text in found.texts) >= 4
    assert found.tags.count("svg") == 8


def test_texts_in_markdown_are_escaped() -> None:
    """A merge request would render HTML and links."""
    body = markdown(evil())
    assert "<script" not in body.replace("\\<", "")
    assert "](javascript" not in body.replace("\\]", "")
    rows = [line for line in body.splitlines() if line.startswith("| ")]
    bars = [len(re.findall(r"(?<!\\)\|", line)) for line in rows]
    assert set(bars) <= {3, 4, 5, 6, 9}
    assert not [line for line in body.splitlines() if line.startswith("# h")]


@pytest.mark.parametrize("form", ["html", "md", "json"])
async def test_each_format_is_written_to_a_file(form: str, tmp_path: Path) -> None:
    """From a running listener, in one request; only its owner may read who held what, and why."""
    written = tmp_path / f"report.{form}"
    words = ["report", "--environment", "test", "--format", form, "--output", str(written), "--since", "14d"]
    written.write_text("an older report, " * 100_000)
    written.chmod(0o644)
    async with listening(Past()) as url:
        reported = await sidecar([*words, "--url", url])
    body = written.read_text()
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert (reported.code, reported.err) == (0, "")
    if form == "json":
        assert msgspec.json.decode(body, type=Report).verdict.answer == "yes"
    else:
        assert "Yes: push_only for everybody in test" in body.replace("\\_", "_")


async def test_a_report_that_cannot_be_loaded_or_written_is_exit_code_2(tmp_path: Path) -> None:
    """No incomplete file is left."""
    written = tmp_path / "report.html"
    words = ["report", "--environment", "test", "--output"]
    assert (await sidecar([*words, str(written), "--url", f"http://127.0.0.1:{free_port()}"])).code == 2
    assert not written.exists()
    async with listening(Past()) as url:
        assert (await sidecar([*words, str(tmp_path / "no" / "where"), "--url", url])).code == 2
        assert (await sidecar([*words, str(written), "--url", url, "--since", "soon"])).code == 2


def test_a_report_of_400_days_has_a_limited_size() -> None:
    """Plots sum hours, and tables are cut."""
    prepared = Past(days=400, per_hour=5)
    assert len(page(report(prepared, 400 * DAY))) < 400_000
