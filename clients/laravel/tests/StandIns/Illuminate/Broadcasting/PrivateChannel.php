<?php

declare(strict_types=1);

namespace Illuminate\Broadcasting;

/**
 * Stand-in: puts `private-` before the name.
 */
class PrivateChannel extends Channel
{
    public function __construct(string $name)
    {
        parent::__construct('private-' . $name);
    }
}
