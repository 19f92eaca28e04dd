<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

use RuntimeException;

/**
 * A fact was rejected; others may still be accepted.
 */
final class Refused extends RuntimeException
{
}
