<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

use InvalidArgumentException;

/**
 * The objects that config/reverb-sidecar.php configures.
 */
final class Wiring
{
    /**
     * Return the transport; without an address or a token it sends nothing.
     *
     * @param array<string, mixed> $config
     * @throws InvalidArgumentException for an unknown transport, or an invalid address
     */
    public static function transport(array $config): Transport
    {
        return match (self::transportName($config)) {
            'none' => new NullTransport(),
            'http' => new CircuitBreaker(new HttpTransport(self::text($config, 'url'), self::text($config, 'token'))),
            'redis' => new CircuitBreaker(self::redisStream($config)),
            default => throw new InvalidArgumentException('SIDECAR_TRANSPORT must be http, redis or none'),
        };
    }

    /**
     * Return whether facts are sent after the response: by default over HTTP, and not by XADD, which is fast.
     *
     * @param array<string, mixed> $config
     * @throws InvalidArgumentException for an unknown time
     */
    public static function isAfterResponse(array $config): bool
    {
        return match (self::text($config, 'when')) {
            '' => self::transportName($config) !== 'redis',
            'after_response' => true,
            'at_once' => false,
            default => throw new InvalidArgumentException('SIDECAR_WHEN must be after_response or at_once'),
        };
    }

    /**
     * Return the identity of users.
     *
     * @param array<string, mixed> $config
     */
    public static function identity(array $config): Identity
    {
        return new Identity(self::text($config, 'identity_key') ?: null);
    }

    /**
     * Return the object that makes a broadcast observable.
     *
     * @param array<string, mixed> $config
     */
    public static function observed(array $config): ObservedBroadcast
    {
        $channel = self::text($config, 'observer_channel') ?: ObservedBroadcast::CHANNEL;

        return new ObservedBroadcast(self::identity($config), $channel);
    }

    /**
     * Return the name pattern of users' own channels. Null: authorisation requests are not reported.
     *
     * @param array<string, mixed> $config
     */
    public static function channelName(array $config): ?ChannelName
    {
        $isReported = (bool) ($config['auth_reports'] ?? true);

        return $isReported ? new ChannelName(self::text($config, 'channel') ?: ChannelName::DEFAULT) : null;
    }

    /**
     * Return one value of the configuration as text; a missing value is empty.
     *
     * @param array<string, mixed> $config
     */
    public static function text(array $config, string $key): string
    {
        $value = $config[$key] ?? '';

        return is_scalar($value) ? trim((string) $value) : '';
    }

    /**
     * @param array<string, mixed> $config
     */
    private static function transportName(array $config): string
    {
        $name = self::text($config, 'transport') ?: 'http';
        $isBare = self::text($config, 'url') === '' || self::text($config, 'token') === '';

        return $name === 'http' && $isBare ? 'none' : $name;
    }

    /**
     * @param array<string, mixed> $config
     */
    private static function redisStream(array $config): RedisStream
    {
        $redis = is_array($config['redis'] ?? null) ? $config['redis'] : [];
        $connection = RedisConnection::to(self::text($redis, 'url'), self::text($redis, 'password'));

        return new RedisStream($connection, self::text($redis, 'stream') ?: RedisStream::NAME);
    }
}
