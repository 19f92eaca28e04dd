<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

use RuntimeException;

/**
 * Nobody answered in time; the next fact would fare no better.
 */
final class Unreachable extends RuntimeException
{
}
