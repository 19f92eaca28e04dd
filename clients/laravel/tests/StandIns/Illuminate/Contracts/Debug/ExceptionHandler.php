<?php

declare(strict_types=1);

namespace Illuminate\Contracts\Debug;

use Throwable;

/**
 * Stand-in: the one method of the contract that the package calls.
 */
interface ExceptionHandler
{
    /**
     * @return void
     */
    public function report(Throwable $e);
}
