<?php

declare(strict_types=1);

namespace Illuminate\Database\Eloquent;

use RuntimeException;

/**
 * Stand-in: no row was found.
 */
class ModelNotFoundException extends RuntimeException
{
}
