<?php

declare(strict_types=1);

namespace Symfony\Component\HttpKernel\Exception;

use RuntimeException;

/**
 * Stand-in: 403.
 */
class AccessDeniedHttpException extends RuntimeException
{
}
