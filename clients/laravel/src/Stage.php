<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * How far the broadcast of a payment got, as far as the backend can observe.
 */
enum Stage: string
{
    /** The booking is committed as paid. */
    case Paid = 'paid';

    /** Reverb's API accepted the broadcast. */
    case Dispatched = 'dispatched';

    /** Nothing was broadcast, for a reason. */
    case Skipped = 'skipped';
}
