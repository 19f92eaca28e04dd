<?php

declare(strict_types=1);

namespace Illuminate\Broadcasting\Broadcasters;

use Closure;
use Symfony\Component\HttpKernel\Exception\AccessDeniedHttpException;

/**
 * Stand-in: the broadcaster of `pusher` and `reverb`. Reverb itself is a closure that receives the request.
 */
class PusherBroadcaster extends Broadcaster
{
    /**
     * @param Closure(list<string>, string, array<string, mixed>): void $reverb throws where Reverb's API refuses
     */
    public function __construct(private readonly Closure $reverb)
    {
    }

    public function auth($request)
    {
        $channel = $this->normalizeChannelName($request->channel_name);
        $isBare = empty($request->channel_name);
        if ($isBare || ($this->isGuardedChannel($request->channel_name) && !$this->retrieveUser($request, $channel))) {
            throw new AccessDeniedHttpException();
        }

        return $this->verifyUserCanAccessChannel($request, $channel);
    }

    public function validAuthenticationResponse($request, $result)
    {
        return ['auth' => 'key:signature-of-' . $request->channel_name];
    }

    public function broadcast(array $channels, $event, array $payload = [])
    {
        unset($payload['socket']);
        ($this->reverb)(array_map(strval(...), $channels), $event, $payload);
    }

    public function isGuardedChannel($channel)
    {
        return str_starts_with((string) $channel, 'private-') || str_starts_with((string) $channel, 'presence-');
    }

    public function normalizeChannelName($channel)
    {
        return preg_replace('/^(private-encrypted|private|presence)-/', '', (string) $channel);
    }
}
