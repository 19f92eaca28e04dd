"""The closed set of reasons for which push is suspended."""

import enum


class SuspensionReason(enum.StrEnum):
    """Why push is suspended: the flag answers timers, and the rung is kept."""

    RECOVERING = "recovering"
    """After a visibility gap, until enough probes were clean or enough time passed without a gap."""
    SOURCE_DOWN = "source_down"
    """One of the sidecar's own sources has not answered for longer than a lease."""
    COVERAGE = "coverage"
    """Too few payments can be judged."""
    PAYER_COVERAGE = "payer_coverage"
    """`push_only` is the current mode, and too few of the payers answer: their browsers, or the backend for them."""
    UNMEASURED = "unmeasured"
    """Several payments in a row could not be judged, by a fault of the sidecar."""
    CUT_OFF = "cut_off"
    """Neither Reverb nor the auth endpoint nor the reference target can be reached: its network is cut off."""
    PROBES_SILENT = "probes_silent"
    """No probe has ended for several of their intervals: Reverb is not watched."""
    REVERB_UNSTABLE = "reverb_unstable"
    """Reverb itself failed the probes or the payments: timers until they are clean for a while. The third in 24 hours
    is a fall."""
    UNWIRED = "unwired"
    """The current rung serves push, and no ack of the deciding stage has matched a payment yet."""
