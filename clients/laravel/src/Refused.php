<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

use RuntimeException;

/**
 * A fact was not taken; another may be.
 */
final class Refused extends RuntimeException
{
}
