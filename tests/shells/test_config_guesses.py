"""Every input is read exactly or refused with a correct suggestion. Hypothesis generates the examples."""

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sidecar.config import Config, ConfigInvalid, read_config
from sidecar.config.journals import JournalText
from sidecar.config.places import AddressText, UrlText
from sidecar.config.quantities import Duration, Rate, duration_text, milliseconds, parts_per_million, rate_text
from sidecar.config.scalars import Boolean, Choice, Guess, Kind, Refused, Scalar, Text, Whole
from sidecar.core.facts.policy import PPM, Mode
from tests.shells.config_files import SHIPPED


@given(st.integers(min_value=0, max_value=10**11))
def test_a_duration_is_read_as_it_is_written(duration_ms: int) -> None:
    """Durations are whole milliseconds, so that nothing is rounded."""
    assert milliseconds(duration_text(duration_ms)) == duration_ms


@given(st.integers(min_value=0, max_value=PPM))
def test_a_rate_is_read_as_it_is_written(rate_ppm: int) -> None:
    """Rates are exact: the fourth decimal of a percentage is one part per million, without a binary fraction."""
    assert parts_per_million(rate_text(rate_ppm)) == rate_ppm


KINDS: tuple[Kind, ...] = (
    Duration(at_least="2s", at_most="10m", usual="30s"),
    Duration(at_least="0s", at_most="90d", usual="48h"),
    Rate(at_least="50%", at_most="99.9999%"),
    Rate(at_least="0.0001%", at_most="20%"),
    Whole(at_least=100, at_most=10_000_000),
    Boolean(),
    Choice(words={mode.value: mode for mode in Mode}),
    Text(pattern=r"[a-z0-9._-]{1,64}", allowed="a flag", is_free=True),
    AddressText(),
    JournalText(),
    UrlText(schemes=("redis", "rediss"), path=r"(/[0-9]{1,3})?", usual="redis://db"),
    UrlText(schemes=("wss", "ws"), usual="wss://ws.example.test"),
    UrlText(schemes=("https", "http"), path="", usual="https://app.example.test"),
)

LIKELY = st.one_of(
    st.text(max_size=20),
    st.from_regex(
        r"[0-9]{1,6}(\.[0-9]{1,5})?[ ,]?(ms|s|sec|min|h|d|w|%| percent)?( ?[0-9]{1,3}(m|s))?", fullmatch=True
    ),
    st.from_regex(r"(http://)?\[?[a-z0-9:.]{1,12}\]?:[0-9]{1,6}/?", fullmatch=True),
    st.from_regex(r"((redis|http)s?://)?([a-z]{1,4}(:[a-z]{1,4})?@)?[a-z0-9.:]{1,9}(/[0-9]{0,3})?([?#][a-z]{0,3})?"),
    st.from_regex(r"(sqlite3?|file)?:?/{0,4}[a-z:/?.]{0,12}(\.db)?", fullmatch=True),
    st.sampled_from([*Mode, "yes", "No", "TRUE", "push-only", "timers", "1e5", "1_000"]),
)


@given(st.sampled_from(KINDS), LIKELY, st.sampled_from(Guess))
def test_every_suggestion_is_valid(kind: Kind, text: str, guess: Guess) -> None:
    """A suggestion is valid YAML and an allowed value, so that it never leads to the next error."""
    try:
        kind.read(Scalar(text=text, guess=guess))
    except Refused as refused:
        if refused.suggestion is not None:
            written = yaml.compose(refused.suggestion, Loader=yaml.SafeLoader)
            assert isinstance(written, yaml.ScalarNode)
            number_or_word = Guess.NUMBER if isinstance(kind, Whole) else Guess.BOOLEAN
            understood = number_or_word if isinstance(kind, Whole | Boolean) else Guess.STRING
            kind.read(Scalar(text=written.value, guess=understood))


@settings(deadline=None)
@given(st.data())
def test_any_file_gives_a_configuration_or_one_line_per_problem(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """No file gives a traceback, or a message with more than one line."""
    shipped = SHIPPED.read_text()
    start = data.draw(st.integers(min_value=0, max_value=len(shipped)))
    length = data.draw(st.integers(min_value=0, max_value=40))
    inserted = data.draw(st.one_of(st.text(max_size=8), st.text(alphabet="[]{}:,-&*!|>'\"%@`#? \n\t\\", max_size=8)))
    text = f"{shipped[:start]}{inserted}{shipped[start + length :]}"
    path = tmp_path_factory.getbasetemp() / "mutated.yaml"
    path.write_bytes(text.encode(errors="surrogatepass"))
    answers: list[Config | ConfigInvalid] = []
    try:
        answers.append(read_config(path))
    except ConfigInvalid as invalid:
        answers.append(invalid)
    (answer,) = answers
    if isinstance(answer, ConfigInvalid):
        lines = answer.message.splitlines()
        assert len(lines) == len(answer.problems) > 0
        assert all(line.isprintable() for line in lines)


@settings(deadline=None)
@given(st.binary(max_size=100))
@example(b"%YAML 1." + b"9" * 5000)
@example(b'a: "\\uD800"')
@example(b"[" * 60_000)
@example(b"{" * 60_000)
@example(b"? " * 30_000)
def test_arbitrary_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """YAML that is made to break a parser is refused like any other."""
    path = tmp_path_factory.getbasetemp() / "arbitrary.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigInvalid):
        read_config(path)
