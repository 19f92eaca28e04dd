<?php

declare(strict_types=1);

namespace Illuminate\Broadcasting\Broadcasters;

use Illuminate\Contracts\Broadcasting\Broadcaster as BroadcasterContract;
use Illuminate\Contracts\Routing\UrlRoutable;
use ReflectionFunction;
use ReflectionNamedType;
use Symfony\Component\HttpKernel\Exception\AccessDeniedHttpException;

/**
 * Stand-in: the framework's rules of channel authorisation, as of Laravel 12.
 *
 * It throws where the framework throws, in methods of the same names. The first matching pattern calls its callback:
 * exactly false ends the search, any other empty result continues with later patterns.
 */
abstract class Broadcaster implements BroadcasterContract
{
    /** @var array<string, callable> */
    protected $channels = [];

    /** @var array<string, array<string, mixed>> */
    protected $channelOptions = [];

    /**
     * @return $this
     */
    public function channel($channel, $callback, $options = [])
    {
        $this->channels[$channel] = $callback;
        $this->channelOptions[$channel] = $options;

        return $this;
    }

    /**
     * @return array<string, callable> in the framework a Collection
     */
    public function getChannels()
    {
        return $this->channels;
    }

    protected function verifyUserCanAccessChannel($request, $channel)
    {
        foreach ($this->channels as $pattern => $callback) {
            if (!$this->channelNameMatchesPattern($channel, $pattern)) {
                continue;
            }
            $parameters = $this->extractAuthParameters($pattern, $channel, $callback);
            $result = $callback($this->retrieveUser($request, $channel), ...$parameters);
            if ($result === false) {
                throw new AccessDeniedHttpException();
            }
            if ($result) {
                return $this->validAuthenticationResponse($request, $result);
            }
        }

        throw new AccessDeniedHttpException();
    }

    protected function extractAuthParameters($pattern, $channel, $callback)
    {
        preg_match('/^' . preg_replace('/\{(.*?)\}/', '(?<$1>[^.]+)', $pattern) . '/', $channel, $keys);
        $named = array_filter($keys, is_string(...), ARRAY_FILTER_USE_KEY);
        $parameters = (new ReflectionFunction($callback))->getParameters();

        return array_map(
            fn (string $key): mixed => $this->resolveImplicitBindingIfPossible($key, $named[$key], $parameters),
            array_keys($named),
        );
    }

    protected function resolveImplicitBindingIfPossible($key, $value, $callbackParameters)
    {
        foreach ($callbackParameters as $parameter) {
            $type = $parameter->getType();
            $class = $type instanceof ReflectionNamedType ? $type->getName() : '';
            if ($parameter->getName() !== $key || !is_subclass_of($class, UrlRoutable::class)) {
                continue;
            }
            $model = (new $class())->resolveRouteBinding($value);
            if ($model === null) {
                throw new AccessDeniedHttpException();
            }

            return $model;
        }

        return $value;
    }

    protected function retrieveUser($request, $channel)
    {
        foreach ($this->channelOptions as $pattern => $options) {
            if (!$this->channelNameMatchesPattern($channel, $pattern)) {
                continue;
            }
            foreach ((array) ($options['guards'] ?? [null]) as $guard) {
                if ($user = $request->user($guard)) {
                    return $user;
                }
            }

            return null;
        }

        return $request->user();
    }

    protected function channelNameMatchesPattern($channel, $pattern)
    {
        $literal = str_replace('.', '\.', $pattern);

        return preg_match('/^' . preg_replace('/\{(.*?)\}/', '([^.]+)', $literal) . '$/', $channel);
    }
}
