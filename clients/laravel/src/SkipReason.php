<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * The reason why nothing was broadcast.
 */
enum SkipReason: string
{
    /** The booking was already paid: another path broadcasts it. */
    case AlreadyPaid = 'already_paid';

    /** The payment belongs to no booking. */
    case NoBooking = 'no_booking';

    /** Confirming or broadcasting failed. The sidecar counts it as a miss. */
    case Failed = 'failed';
}
