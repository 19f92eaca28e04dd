<?php

declare(strict_types=1);

namespace Illuminate\Auth;

use Exception;

/**
 * Stand-in: no user is authenticated.
 */
class AuthenticationException extends Exception
{
}
