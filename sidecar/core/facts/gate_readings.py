"""What a decision records of the gates on which it was based."""

import msgspec


class GateReading(msgspec.Struct, frozen=True, kw_only=True):
    """The reading of one gate when a decision was taken."""

    name: str
    value: str
    target: str
    passes: bool
