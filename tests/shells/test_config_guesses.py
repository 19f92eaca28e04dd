"""Whatever a file says: it is read as it is written, or refused in words that help. Examples by Hypothesis."""

from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sidecar.config import Config, ConfigInvalid, read_config
from sidecar.config.places import AddressText, JournalText, RedisText
from sidecar.config.quantities import Duration, Rate, duration_text, milliseconds, parts_per_million, rate_text
from sidecar.config.scalars import Boolean, Choice, Guess, Kind, Refused, Scalar, Text, Whole
from sidecar.core.facts.policy import PPM, Mode

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "config" / "sidecar.yaml"


@given(st.integers(min_value=0, max_value=10**11))
def test_a_duration_is_read_as_it_is_written(duration_ms: int) -> None:
    """Durations are whole milliseconds all the way, so that nothing is rounded."""
    assert milliseconds(duration_text(duration_ms)) == duration_ms


@given(st.integers(min_value=0, max_value=PPM))
def test_a_rate_is_read_as_it_is_written(rate_ppm: int) -> None:
    """Rates are exact: four decimals of a percentage are one part per million, and no binary fraction is in between."""
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
    RedisText(),
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
def test_whoever_takes_a_suggestion_is_done(kind: Kind, text: str, guess: Guess) -> None:
    """A suggestion is right YAML, and right: nobody is sent from one mistake to the next."""
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
def test_whatever_is_in_the_file_the_answer_is_a_configuration_or_one_line_per_problem(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """No file leads to a traceback, or to a message that could be taken for two."""
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
def test_bytes_that_are_no_configuration_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Not even YAML that was made to break its reader breaks ours."""
    path = tmp_path_factory.getbasetemp() / "arbitrary.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigInvalid):
        read_config(path)
