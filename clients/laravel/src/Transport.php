<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * How facts reach the sidecar.
 */
interface Transport
{
    /**
     * Send one fact, within this time.
     *
     * @param array<string, string|list<string>> $fields
     * @throws Refused if the sidecar, or Redis, does not take it
     * @throws Unreachable if nobody answered in time
     */
    public function send(array $fields, int $withinMs): void;
}
