"""What the sidecar decided and what people did, newest first."""

import msgspec

from sidecar.console.page import words
from sidecar.console.page.front import Tone
from sidecar.console.page.words import Moment, moment
from sidecar.console.status import Status


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One decision or act."""

    seq: int
    moment: Moment
    what: str
    detail: str
    tone: Tone


def entries(status: Status) -> tuple[Entry, ...]:
    """Return the moves of the flag, newest first."""
    return tuple(
        Entry(
            seq=move.seq,
            moment=moment(move.at_ms, status.now_ms),
            what=_what(move.from_rung, move.to_rung, move.cause),
            detail=move.detail,
            tone=_tone(move.from_rung, move.to_rung),
        )
        for move in reversed(status.moves)
    )


def _what(from_rung: int, to_rung: int, cause: str) -> str:
    if to_rung > from_rung:
        return f"Climbed from rung {from_rung} to rung {to_rung}"
    if to_rung == from_rung:
        return f"Stays on rung {to_rung}: {words.name(cause)}"
    return f"Fell from rung {from_rung} to rung {to_rung}: {words.name(cause)}"


def _tone(from_rung: int, to_rung: int) -> Tone:
    if to_rung > from_rung:
        return Tone.GOOD
    return Tone.CALM if to_rung == from_rung else Tone.BAD
