<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * Send nothing, where no sidecar is configured: in development, and in the app's own tests.
 */
final class NullTransport implements Transport
{
    public function send(array $fields, int $withinMs): void
    {
    }
}
