<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel;

use InvalidArgumentException;

/**
 * What config/reverb-sidecar.php comes to.
 */
final class Wiring
{
    /**
     * Return how facts are sent; without an address or a token they are not.
     *
     * @param array<string, mixed> $config
     * @throws InvalidArgumentException for a transport that there is not, or an address that is none
     */
    public static function transport(array $config): Transport
    {
        return match (self::way($config)) {
            'none' => new Nowhere(),
            'http' => new Pausing(new HttpTransport(self::text($config, 'url'), self::text($config, 'token'))),
            'redis' => new Pausing(self::redisStream($config)),
            default => throw new InvalidArgumentException('SIDECAR_TRANSPORT is http, redis or none'),
        };
    }

    /**
     * Say whether facts wait for the end of the response: HTTP does, where nothing else is said; XADD is quick.
     *
     * @param array<string, mixed> $config
     * @throws InvalidArgumentException for a moment that there is not
     */
    public static function isAfterResponse(array $config): bool
    {
        return match (self::text($config, 'when')) {
            '' => self::way($config) !== 'redis',
            'after_response' => true,
            'at_once' => false,
            default => throw new InvalidArgumentException('SIDECAR_WHEN is after_response or at_once'),
        };
    }

    /**
     * Return who users are to the sidecar.
     *
     * @param array<string, mixed> $config
     */
    public static function identity(array $config): Identity
    {
        return new Identity(self::text($config, 'identity_key') ?: null);
    }

    /**
     * Return what makes a broadcast observable.
     *
     * @param array<string, mixed> $config
     */
    public static function observed(array $config): ObservedBroadcast
    {
        $channel = self::text($config, 'observer_channel') ?: ObservedBroadcast::CHANNEL;

        return new ObservedBroadcast(self::identity($config), $channel);
    }

    /**
     * Return how a user's own channel is named. Null: of requests for channels the sidecar is not told.
     *
     * @param array<string, mixed> $config
     */
    public static function channelName(array $config): ?ChannelName
    {
        $isTold = (bool) ($config['auth_reports'] ?? true);

        return $isTold ? new ChannelName(self::text($config, 'channel') ?: ChannelName::USUAL) : null;
    }

    /**
     * Return one text of the configuration; what is not there is empty.
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
    private static function way(array $config): string
    {
        $way = self::text($config, 'transport') ?: 'http';
        $isBare = self::text($config, 'url') === '' || self::text($config, 'token') === '';

        return $way === 'http' && $isBare ? 'none' : $way;
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
