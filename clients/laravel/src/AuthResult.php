<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * The result of an authorisation request for a channel, with its cause.
 */
enum AuthResult: string
{
    /** The subscription was signed. */
    case Ok = 'ok';

    /** The channel's guard found no authenticated user. */
    case Guest = 'guest';

    /** No registered channel pattern matches the name. */
    case NoPattern = 'no_pattern';

    /** The channel's callback denied access. */
    case Refused = 'refused';

    /** A model bound to the channel's name was not found. */
    case Binding = 'binding';

    /** The app's own code ended the request, or nothing was signed: any other cause. */
    case Abort = 'abort';
}
