<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

/**
 * One message to the sidecar: an ack, or the result of an authorisation request.
 */
interface Fact
{
    /**
     * Return its fields, as the sidecar reads them from JSON and from an entry of the ack stream.
     *
     * @return array<string, string|list<string>>
     */
    public function fields(): array;
}
