<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests;

/**
 * An authenticated user.
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
