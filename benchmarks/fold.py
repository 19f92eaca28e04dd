"""How fast is the fold? The baseline only decodes the same observations from the journal's JSON."""

import time

import msgspec

from sidecar.core.facts.observations import Observation, Record
from sidecar.core.fold.fold import fold
from sidecar.core.fold.state import State, encode
from tests.core.world import LAX, World

_PAYMENTS = 5_000
_ROUNDS = 3


def main() -> None:
    """Print observations per second, and the ratio."""
    world = World(LAX, decides=False)
    world.wire()
    world.good(_PAYMENTS, every_ms=400)
    bodies = [msgspec.json.encode(record.observation) for record in world.records]
    decode = msgspec.json.Decoder(Observation).decode
    folding, decoding = [], []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        state = State()
        for record in world.records:
            fold(state, record)
        folding.append(len(world.records) / (time.perf_counter() - started))
        assert encode(state) == encode(world.state)
        started = time.perf_counter()
        for record, body in zip(world.records, bodies, strict=True):
            Record(seq=record.seq, at_ms=record.at_ms, observation=decode(body))
        decoding.append(len(bodies) / (time.perf_counter() - started))
    folded, decoded = max(folding), max(decoding)
    print(f"fold: {folded:,.0f} observations/s; {folded / decoded:.2f} x merely decoding them ({decoded:,.0f}/s)")


if __name__ == "__main__":
    main()
