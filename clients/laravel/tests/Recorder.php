<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests;

use Closure;
use ReverbSidecar\Laravel\Transport;

/**
 * A transport that records the facts, and runs a callback of the test.
 */
final class Recorder implements Transport
{
    /** @var list<array<string, string|list<string>>> */
    public array $sent = [];

    /** @var list<int> */
    public array $budgets = [];

    public ?Closure $onSend = null;

    public function send(array $fields, int $withinMs): void
    {
        $this->sent[] = $fields;
        $this->budgets[] = $withinMs;
        if ($this->onSend !== null) {
            ($this->onSend)($fields);
        }
    }
}
