<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests;

use Closure;
use ReverbSidecar\Laravel\Transport;

/**
 * A transport that keeps what it is given, and does what a test wants of it.
 */
final class Recorder implements Transport
{
    /** @var list<array<string, string|list<string>>> */
    public array $sent = [];

    /** @var list<int> */
    public array $budgets = [];

    public ?Closure $does = null;

    public function send(array $fields, int $withinMs): void
    {
        $this->sent[] = $fields;
        $this->budgets[] = $withinMs;
        if ($this->does !== null) {
            ($this->does)($fields);
        }
    }
}
