"""What can be broken in the demo's world: one closed table, with what each switch does and what is to be expected.

Where an expectation has numbers, they are those of the demo's own policy (`demo.yaml`), in the world's time.
"""

import enum

import msgspec


class Key(enum.StrEnum):
    """The switches, as they stand in addresses."""

    AUTH_REFUSED = "auth_refused"
    AUTH_REFUSED_FIFTH = "auth_refused_fifth"
    WRONG_SECRET = "wrong_secret"  # noqa: S105 - a name, not a secret
    SLOW_QUEUE = "slow_queue"
    BROADCASTS_LOST = "broadcasts_lost"
    REVERB_FROZEN = "reverb_frozen"
    REVERB_GONE = "reverb_gone"
    NODE_DEAF = "node_deaf"
    WEBHOOKS_LATE = "webhooks_late"
    SIDECAR_BLIND = "sidecar_blind"
    SIDECAR_KILLED = "sidecar_killed"


class Switch(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that can be broken."""

    key: Key
    title: str
    text: str
    """What turning it on does, in a sentence or two."""
    expect: str
    """What is to be expected of the flag and of the payers."""


SWITCHES = (
    Switch(
        key=Key.AUTH_REFUSED,
        title="Channel auth refuses everybody",
        text="The app answers every request for a channel with 403, as it does where the route has another guard.",
        expect="Payers' browsers and the probe's auth probe tell of it; within two minutes everybody has timers. The "
        "observers, who sign for themselves, notification nothing.",
    ),
    Switch(
        key=Key.AUTH_REFUSED_FIFTH,
        title="Channel auth refuses one in five",
        text="The app refuses every fifth user their own channel. The probe user is none of them.",
        expect="No probe sees it. Enough payers' browsers do after some minutes: an alarm of `reach`, and timers for "
        "everybody.",
    ),
    Switch(
        key=Key.WRONG_SECRET,
        title="The app signs with another secret",
        text="The app answers 200 and signs with an old REVERB_APP_SECRET, so that Reverb refuses the subscription and "
        "Echo says nothing.",
        expect="The probe names it (signed_with_other_secret). No payer is subscribed within 3 s, so each goes back to "
        "timers by itself; the alarm takes push away from everybody.",
    ),
    Switch(
        key=Key.SLOW_QUEUE,
        title="The queue is slow",
        text="Broadcasts wait four seconds in the app's queue before they are sent.",
        expect="Payments are late. The alarm answers timers at once; within a minute, because Reverb itself is well, "
        "it is named: a fall.",
    ),
    Switch(
        key=Key.BROADCASTS_LOST,
        title="Reverb loses 2 % of the broadcasts",
        text="Its API answers 200, and one broadcast in fifty reaches nobody.",
        expect="Nothing falls: it is better than the 95 % that this demo's policy asks for. But payments are missed, "
        "the proof takes longer, and whom push does not reach a later refetch clears. At 99 %, the default, it "
        "would not climb.",
    ),
    Switch(
        key=Key.REVERB_FROZEN,
        title="Reverb hangs",
        text="Both nodes take connections and do nothing more, as after SIGSTOP.",
        expect="Round trips fail: within half a minute everybody has timers. It is Reverb's own trouble, so the rung "
        "is kept: a suspension, until the probes have been clean for a while.",
    ),
    Switch(
        key=Key.REVERB_GONE,
        title="Reverb is gone",
        text="Both nodes have exited, and the load balancer refuses connections.",
        expect="Browsers and observers lose their sockets at once, and payers go back to timers by themselves. A "
        "suspension: timers for everybody, and the rung is kept.",
    ),
    Switch(
        key=Key.NODE_DEAF,
        title="One Reverb node is deaf",
        text="One of two nodes no longer hears the other: who is connected to it gets no push.",
        expect="Canaries and broadcasts reach some of the observers' sockets and not others, which counts as a "
        "failure: a suspension. If it comes back too often, a fall.",
    ),
    Switch(
        key=Key.WEBHOOKS_LATE,
        title="Stripe's webhooks are late",
        text="They come six to nine seconds after the payment.",
        expect="Nothing moves: push is on time once the webhook is there. But timers have given up by then: look "
        "at the comparison.",
    ),
    Switch(
        key=Key.SIDECAR_BLIND,
        title="The sidecar is cut off",
        text="Nothing outside can be reached from the sidecar: neither Reverb, nor the app, nor the reference target.",
        expect="Suspended: timers for everybody, because it cannot see. That is no fall; once it sees again and 20 "
        "round trips and 3 auth probes were clean, push is back on the same rung.",
    ),
    Switch(
        key=Key.SIDECAR_KILLED,
        title="The sidecar is killed",
        text="Its task is cancelled and it no longer listens; turning this off starts it anew on the same journal. "
        "(The demo is one process, so it ends in better order than by `kill -9`; `make chaos` kills it for real.)",
        expect="Nobody answers for the flag, so browsers follow timers. Stripe delivers again. Once it is back it has "
        "the same rung, and serves it after 20 round trips and 3 auth probes were clean.",
    ),
)
"""All switches, in the order in which the page shows them."""
