<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * How a request for a channel was answered, and why.
 */
enum AuthResult: string
{
    /** The channel was signed for. */
    case Ok = 'ok';

    /** Nobody was logged in, as far as the guard knows. */
    case Guest = 'guest';

    /** No registered channel has such a name. */
    case NoPattern = 'no_pattern';

    /** The channel's callback said no. */
    case Refused = 'refused';

    /** A model that the channel's name stands for was not found. */
    case Binding = 'binding';

    /** Code of the app's own ended it, or nothing was signed: whatever else keeps the browser out. */
    case Abort = 'abort';
}
