<?php

declare(strict_types=1);

namespace Illuminate\Auth;

use Exception;

/**
 * Stand-in: nobody is logged in.
 */
class AuthenticationException extends Exception
{
}
