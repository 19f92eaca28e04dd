<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * A way to send facts to the sidecar.
 */
interface Transport
{
    /**
     * Send one fact, within this timeout.
     *
     * @param array<string, string|list<string>> $fields
     * @throws Refused if the sidecar, or Redis, rejects it
     * @throws Unreachable if there is no response in time
     */
    public function send(array $fields, int $withinMs): void;
}
