<?php

declare(strict_types=1);

namespace Illuminate\Broadcasting;

/**
 * Stand-in: a channel is its name.
 */
class Channel
{
    public string $name;

    public function __construct(string $name)
    {
        $this->name = $name;
    }

    public function __toString(): string
    {
        return $this->name;
    }
}
