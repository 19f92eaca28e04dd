<?php

declare(strict_types=1);

namespace Illuminate\Contracts\Broadcasting;

/**
 * Stand-in: the contract's three methods, with the framework's signatures.
 */
interface Broadcaster
{
    /**
     * @param \Illuminate\Http\Request $request
     * @return mixed
     */
    public function auth($request);

    /**
     * @param \Illuminate\Http\Request $request
     * @param mixed $result
     * @return mixed
     */
    public function validAuthenticationResponse($request, $result);

    /**
     * @param array<array-key, mixed> $channels
     * @param string $event
     * @param array<array-key, mixed> $payload
     * @return void
     */
    public function broadcast(array $channels, $event, array $payload = []);
}
