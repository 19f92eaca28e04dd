<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * How far the news of a payment got, as far as the backend can say.
 */
enum Stage: string
{
    /** The booking is committed as paid. */
    case Paid = 'paid';

    /** Reverb's API took the broadcast. */
    case Dispatched = 'dispatched';

    /** Nothing was broadcast; a reason goes with it. */
    case Skipped = 'skipped';
}
