<?php

declare(strict_types=1);

namespace Illuminate\Http;

/**
 * Stand-in: a response with data, status and headers.
 */
class JsonResponse
{
    /**
     * @param array<string, string> $headers
     */
    public function __construct(
        public readonly mixed $data = null,
        public readonly int $status = 200,
        public readonly array $headers = [],
    ) {
    }
}
