<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests;

/**
 * Somebody who is logged in.
 */
final class User
{
    public function __construct(public readonly int $id)
    {
    }

    public function getAuthIdentifier(): int
    {
        return $this->id;
    }
}
