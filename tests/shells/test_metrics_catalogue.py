"""The catalogue of metrics: what is documented is what is scraped, and no more."""

import inspect
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from prometheus_client import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar, Sample

from sidecar.composition import kinds_of
from sidecar.core.facts.policy import Policy
from sidecar.core.fold.judging import count_latency
from sidecar.core.fold.state import Latency, State
from sidecar.metrics import TABLE, catalogue, encode, histogram_family, page
from sidecar.metrics.catalogue import Catalogue
from sidecar.metrics.rows import Histogram
from sidecar.parts.metrics import Counter
from tests.core.world import LAX, World
from tests.e2e.test_commands import sidecar
from tests.shells.everything import everything
from tests.shells.metrics_view import Collected, exposition_of
from tests.shells.running import running

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def scraped(text: str) -> dict[str, list[Sample]]:
    """Return the series of each metric of an exposition, by the names of the catalogue."""
    return {
        family.name + ("_total" if family.type == "counter" else ""): family.samples
        for family in text_string_to_metric_families(text)
    }


def test_the_page_is_what_the_command_prints() -> None:
    """`sidecar metrics > docs/metrics.md` after a change."""
    assert PAGE.read_text() == sidecar("metrics").stdout == page(kinds_of())


def test_the_json_says_the_same() -> None:
    """Tools that write rules and dashboards need not read Markdown."""
    assert msgspec.json.decode(sidecar("metrics", "--json").stdout, type=Catalogue) == catalogue(kinds_of())


async def test_a_sidecar_with_all_that_can_be_configured_has_exactly_the_series_of_the_catalogue() -> None:
    """The bound of each metric and of all together is reached, and not passed: cardinality is known."""
    described = catalogue(kinds_of())
    async with everything() as it:
        found = {name: len(samples) for name, samples in scraped(await it.metrics()).items()}
    assert found == {each.name: each.series_max for each in described.metrics}
    assert sum(found.values()) == described.series_max


async def test_every_label_of_a_scrape_is_in_its_closed_set() -> None:
    """What is documented for rules and dashboards to match on is what stands there, all of it."""
    async with everything() as it:
        found = scraped(await it.metrics())
    for each in catalogue(kinds_of()).metrics:
        labels: dict[str, set[str]] = {}
        for sample in found[each.name]:
            for label, value in sample.labels.items():
                if label != "le":
                    labels.setdefault(label, set()).add(value)
        assert labels == {label: set(values) for label, values in each.labels.items()}, each.name


async def test_types_and_help_texts_of_a_scrape_are_the_catalogues() -> None:
    """The scope stands in the help text, so that it is read where the metric is."""
    async with running() as it:
        families = {
            family.name + ("_total" if family.type == "counter" else ""): family
            for family in text_string_to_metric_families(await it.metrics())
        }
    described = catalogue(kinds_of()).metrics
    assert {name: (family.type, family.documentation) for name, family in families.items()} == {
        each.name: (each.type, f"{each.help} [{each.scope}]") for each in described
    }


COUNTERS = [
    (kind, attribute)
    for kind in kinds_of()
    for attribute, declared in vars(kind).items()
    if isinstance(declared, Counter)
]


@pytest.mark.parametrize(("kind", "attribute"), COUNTERS)
def test_every_counter_is_incremented_where_it_is_declared(kind: type, attribute: str) -> None:
    """A counter that nothing feeds stands at 0 for ever, and nobody notices."""
    module = inspect.getsource(inspect.getmodule(kind) or kind)
    assert f"self.{attribute}.inc(" in module


def test_labels_that_are_not_declared_cannot_be_counted() -> None:
    """The sets of labels are closed: a new value must be declared first."""

    class Part:
        results = Counter("results", "Results.", {"result": ("good",)})

    part = Part()
    part.results.inc("good")
    with pytest.raises(KeyError):
        part.results.inc("bad")
    assert (part.results["good"], Part().results["good"]) == (1, 0), "each object has its own counts"


def edges(family: HistogramMetricFamily) -> set[str]:
    """Return the upper edges of a histogram's buckets."""
    return {sample.labels["le"] for sample in family.samples if "le" in sample.labels}


def test_a_histogram_has_a_bucket_at_an_objective_that_was_just_moved() -> None:
    """The edges are those of the policy in force, before the first payment under it too; the counts begin anew."""
    before, after = LAX, msgspec.structs.replace(LAX, on_time_within_ms=1234, missed_after_ms=4321)
    for histogram in (metric for metric in TABLE if isinstance(metric, Histogram)):
        for policy, count in ((before, 3.0), (after, 0.0)):
            family = histogram_family(histogram, _state(policy, measured_under=before))
            assert {str(policy.on_time_within_ms / 1000), str(policy.missed_after_ms / 1000)} <= edges(family)
            counted = {sample.name.rsplit("_", 1)[1]: sample.value for sample in family.samples}
            assert (counted["count"], counted["sum"]) == (count, 0.3 if count else 0.0)


def _state(policy: Policy, *, measured_under: Policy) -> State:
    latency = Latency()
    for _ in range(3):
        count_latency(latency, measured_under, 100)
    state = State(policy=policy)
    state.tally.latency = state.tally.round_trip = latency
    return state


@pytest.mark.parametrize("library", [generate_latest, openmetrics.generate_latest])
def test_the_bytes_of_a_scrape_are_those_of_the_client_library(library: Callable[[Collector], bytes]) -> None:
    """We encode faster, and not otherwise: the library's own output is the specification."""
    world = World(LAX)
    world.climb_to(1)
    world.outage()
    awkward = GaugeMetricFamily("awkward", 'say "\\n"\nand é', labels=["by", "also"])
    for number, value in enumerate((1e7, 123456789.0, 1e-9, float("inf"), float("nan"), -0.0, 0.1)):
        awkward.add_metric([f'"{number}\\\n', "é"], value)
    payments = {
        number: Exemplar({"payment_ref": f'"{number}\\\n'}, number / 7, 1e9 + number / 1000) for number in range(4)
    }
    families = [*exposition_of(world.state, exemplars=lambda _: payments).collect(), awkward]
    own = encode(families, is_open=library is openmetrics.generate_latest)
    assert own == library(Collected(families))


async def test_the_format_is_the_one_that_is_asked_for() -> None:
    """As Prometheus 2 and 3 ask, and as a person with curl does."""
    asked = {
        "": "text/plain; version=0.0.4; charset=utf-8",
        "*/*": "text/plain; version=0.0.4; charset=utf-8",
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,*/*;q=0.1":
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3":
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        "text/plain;version=1.0.0;escaping=allow-utf-8,text/plain;version=0.0.4":
            "text/plain; version=0.0.4; charset=utf-8",
    }  # fmt: skip
    async with running() as it:
        for accept, content_type in asked.items():
            async with it.session.get(it.urls.metrics, headers={"Accept": accept}) as response:
                assert response.headers["Content-Type"].startswith(content_type), accept
                assert response.headers["Content-Encoding"] in {"gzip", "deflate"}
                is_open = (await response.text()).endswith("# EOF\n")
                assert is_open == content_type.startswith("application/openmetrics-text")
