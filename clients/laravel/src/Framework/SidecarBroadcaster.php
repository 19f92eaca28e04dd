<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Framework;

use Closure;
use Illuminate\Contracts\Broadcasting\Broadcaster;
use ReverbSidecar\Laravel\Ack;
use ReverbSidecar\Laravel\AuthReport;
use ReverbSidecar\Laravel\AuthResult;
use ReverbSidecar\Laravel\AuthVerdict;
use ReverbSidecar\Laravel\ChannelName;
use ReverbSidecar\Laravel\Fact;
use ReverbSidecar\Laravel\Identity;
use ReverbSidecar\Laravel\Outbox;
use Throwable;

/**
 * A decorator of the configured broadcaster. It returns and throws exactly what that does, and reports to the sidecar.
 *
 * Laravel broadcasts through it at once, from a queue and under Octane. It keeps no state between requests.
 */
final class SidecarBroadcaster implements Broadcaster
{
    private readonly BroadcasterInternals $internals;

    /**
     * @param Closure(): Outbox $outbox of the request or job that is being handled
     * @param ChannelName|null $userChannels null: authorisation requests are not reported
     * @param bool $isSending false: the wrapped one sends nothing, as `log` and `null`
     */
    public function __construct(
        private readonly Broadcaster $wrapped,
        private readonly Closure $outbox,
        private readonly Identity $identity = new Identity(),
        private readonly ?ChannelName $userChannels = null,
        private readonly bool $isSending = true,
    ) {
        $this->internals = new BroadcasterInternals($wrapped);
    }

    /**
     * Broadcast, and ack whether Reverb's API accepted it.
     *
     * @param array<array-key, mixed> $channels
     * @param string $event
     * @param array<array-key, mixed> $payload
     * @return void
     */
    public function broadcast(array $channels, $event, array $payload = [])
    {
        try {
            $this->wrapped->broadcast($channels, $event, $payload);
        } catch (Throwable $error) {
            $this->send(static fn (): ?Fact => Ack::failed($payload));
            throw $error;
        }
        $this->send(fn (): ?Fact => $this->isSending ? Ack::dispatched($payload) : Ack::failed($payload));
    }

    /**
     * Authorise a browser for a channel or refuse it, and report the result with its cause.
     *
     * @param \Illuminate\Http\Request $request
     * @return mixed
     */
    public function auth($request)
    {
        try {
            $answer = $this->wrapped->auth($request);
        } catch (Throwable $error) {
            $this->send(fn (): ?Fact => $this->report($request, $error));
            throw $error;
        }
        $this->send(fn (): ?Fact => $this->report($request, $answer ? AuthResult::Ok : AuthResult::Abort));

        return $answer;
    }

    /**
     * Sign a subscription, as the wrapped one does.
     *
     * @param \Illuminate\Http\Request $request
     * @param mixed $result
     * @return mixed
     */
    public function validAuthenticationResponse($request, $result)
    {
        return $this->wrapped->validAuthenticationResponse($request, $result);
    }

    /**
     * Delegate every other method of a broadcaster: `channel`, `getChannels`, `resolveAuthenticatedUser`, …
     *
     * @param array<array-key, mixed> $arguments
     */
    public function __call(string $method, array $arguments): mixed
    {
        $answer = $this->wrapped->{$method}(...$arguments);

        return $answer === $this->wrapped ? $this : $answer;
    }

    private function report(mixed $request, AuthResult|Throwable $end): ?AuthReport
    {
        $channel = $request->channel_name;
        if ($this->userChannels === null || !$this->userChannels->isUserChannel($channel)) {
            return null;
        }
        $result = $end instanceof AuthResult ? $end : AuthVerdict::of($end, $this->internals->hasPattern($channel));
        $userId = $result === AuthResult::Guest ? null : $this->internals->userId($request, $channel);

        return new AuthReport($result, $channel, $this->identity->fields($userId));
    }

    /**
     * @param Closure(): ?Fact $fact
     */
    private function send(Closure $fact): void
    {
        try {
            ($this->outbox)()->add($fact());
        } catch (Throwable) {
            // A fact that is not sent counts against push at the sidecar; it must not fail a payment or a subscription.
        }
    }
}
