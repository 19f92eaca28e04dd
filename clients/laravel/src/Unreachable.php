<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

use RuntimeException;

/**
 * There was no response in time; the next fact would fail too.
 */
final class Unreachable extends RuntimeException
{
}
