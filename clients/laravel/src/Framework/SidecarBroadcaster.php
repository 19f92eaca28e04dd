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
 * A broadcaster around the configured one, which does and throws exactly what that does, and tells the sidecar.
 *
 * Laravel broadcasts here in the end, whether at once, from a queue or under Octane. It keeps nothing between requests.
 */
final class SidecarBroadcaster implements Broadcaster
{
    private readonly Inside $inside;

    /**
     * @param Closure(): Outbox $outbox of the request or job that is being handled
     * @param ChannelName|null $ownChannels null: of requests for channels the sidecar is not told
     * @param bool $isSending false: the wrapped one only pretends to broadcast, as `log` and `null` do
     */
    public function __construct(
        private readonly Broadcaster $wrapped,
        private readonly Closure $outbox,
        private readonly Identity $identity = new Identity(),
        private readonly ?ChannelName $ownChannels = null,
        private readonly bool $isSending = true,
    ) {
        $this->inside = new Inside($wrapped);
    }

    /**
     * Broadcast, and say whether Reverb's API took it.
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
            $this->tell(static fn (): ?Fact => Ack::failed($payload));
            throw $error;
        }
        $this->tell(fn (): ?Fact => $this->isSending ? Ack::dispatched($payload) : Ack::failed($payload));
    }

    /**
     * Let a browser join a channel or refuse it, and say which and why.
     *
     * @param \Illuminate\Http\Request $request
     * @return mixed
     */
    public function auth($request)
    {
        try {
            $answer = $this->wrapped->auth($request);
        } catch (Throwable $error) {
            $this->tell(fn (): ?Fact => $this->report($request, $error));
            throw $error;
        }
        $this->tell(fn (): ?Fact => $this->report($request, $answer ? AuthResult::Ok : AuthResult::Abort));

        return $answer;
    }

    /**
     * Sign for a channel, as the wrapped one does.
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
     * Hand over whatever else is asked of a broadcaster: `channel`, `getChannels`, `resolveAuthenticatedUser`, …
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
        if ($this->ownChannels === null || !$this->ownChannels->isSomebodys($channel)) {
            return null;
        }
        $result = $end instanceof AuthResult ? $end : AuthVerdict::of($end, $this->inside->hasPattern($channel));
        $userId = $result === AuthResult::Guest ? null : $this->inside->userId($request, $channel);

        return new AuthReport($result, $channel, $this->identity->fields($userId));
    }

    /**
     * @param Closure(): ?Fact $fact
     */
    private function tell(Closure $fact): void
    {
        try {
            ($this->outbox)()->add($fact());
        } catch (Throwable) {
            // What is not told counts against push at the sidecar; it must not cost a payment or a channel.
        }
    }
}
