"""The faults of the demo: one closed table with the cause and the expected effect of each switch.

Numbers in an expectation follow from the demo's policy (`demo.yaml`), in the world's time.
"""

import enum

import msgspec


class Key(enum.StrEnum):
    """The switches, by their names in URLs."""

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
    """One fault."""

    key: Key
    title: str
    text: str
    """The effect of turning it on, in a sentence or two."""
    expect: str
    """The expected effect on the flag and the payers."""


SWITCHES = (
    Switch(
        key=Key.AUTH_REFUSED,
        title="Channel auth refuses everybody",
        text="The app answers every request for a channel with 403, as it does where the route has another guard.",
        expect="Payers' browsers and the auth probe report it; within two minutes everybody has timers. The "
        "observers sign for themselves and are not affected.",
    ),
    Switch(
        key=Key.AUTH_REFUSED_FIFTH,
        title="Channel auth refuses one in five",
        text="The app refuses every fifth user their own channel. The probe user is not among them.",
        expect="No probe detects it. After some minutes enough payers' browsers have reported: an alarm of `reach` and "
        "timers for everybody.",
    ),
    Switch(
        key=Key.WRONG_SECRET,
        title="The app signs with another secret",
        text="The app answers 200 and signs with an old REVERB_APP_SECRET, so that Reverb refuses the subscription and "
        "Echo shows no error.",
        expect="The probe names it (signed_with_other_secret). No payer is subscribed within 3 s, so each goes back to "
        "timers by itself; the alarm takes push away from everybody.",
    ),
    Switch(
        key=Key.SLOW_QUEUE,
        title="The queue is slow",
        text="Broadcasts wait four seconds in the app's queue before they are sent.",
        expect="Payments are late. The alarm gives everybody timers at once; within a minute, because Reverb itself "
        "works, it is a fall.",
    ),
    Switch(
        key=Key.BROADCASTS_LOST,
        title="Reverb loses 2 % of the broadcasts",
        text="Its API answers 200, and one broadcast in fifty is lost.",
        expect="Nothing falls: it is better than the 95 % that this demo's policy asks for. But payments are missed, "
        "the proof takes longer, and a later refetch clears the alert of the missed ones. At 99 %, the default, it "
        "would not climb.",
    ),
    Switch(
        key=Key.REVERB_FROZEN,
        title="Reverb hangs",
        text="Both nodes accept connections and then hang, as after SIGSTOP.",
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
        text="One of two nodes no longer receives from the other: browsers connected to it get no push.",
        expect="Canaries and broadcasts reach some of the observers' sockets and not others, which counts as a "
        "failure: a suspension. If it repeats too often, a fall.",
    ),
    Switch(
        key=Key.WEBHOOKS_LATE,
        title="Stripe's webhooks are late",
        text="They arrive six to nine seconds after the payment.",
        expect="The flag does not move: push is on time after the webhook. But the timers have ended by then: see "
        "the comparison.",
    ),
    Switch(
        key=Key.SIDECAR_BLIND,
        title="The sidecar is cut off",
        text="The sidecar's network is cut off: it reaches neither Reverb, nor the app nor the reference target.",
        expect="Suspended: timers for everybody, because visibility is lost. That is no fall: after 20 clean "
        "round trips and 3 clean auth probes push is back on the same rung.",
    ),
    Switch(
        key=Key.SIDECAR_KILLED,
        title="The sidecar is killed",
        text="Its task is cancelled and it no longer listens; turning this off restarts it on the same journal. "
        "(The demo is one process, so this is milder than `kill -9`; `make chaos` tests that.)",
        expect="The flag endpoint does not answer, so browsers follow timers. Stripe retries. After the restart it has "
        "the same rung, and serves it after 20 clean round trips and 3 clean auth probes.",
    ),
)
"""All switches, in the order in which the page shows them."""
