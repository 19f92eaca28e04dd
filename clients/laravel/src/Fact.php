<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * Something that the sidecar is told: an ack, or how a request for a channel was answered.
 */
interface Fact
{
    /**
     * Its fields, as the sidecar reads them from JSON and from an entry of the ack stream.
     *
     * @return array<string, string|list<string>>
     */
    public function fields(): array;
}
