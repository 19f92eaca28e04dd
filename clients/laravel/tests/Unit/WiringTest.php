<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests\Unit;

use InvalidArgumentException;
use PHPUnit\Framework\TestCase;
use ReverbSidecar\Laravel\BoundedTimeouts;
use ReverbSidecar\Laravel\ChannelName;
use ReverbSidecar\Laravel\NullTransport;
use ReverbSidecar\Laravel\CircuitBreaker;
use ReverbSidecar\Laravel\RedisConnection;
use ReverbSidecar\Laravel\Wiring;

/**
 * The objects that a configuration creates.
 */
final class WiringTest extends TestCase
{
    private const HTTP = ['url' => 'http://127.0.0.1:8700', 'token' => 'token'];
    private const REDIS = ['transport' => 'redis', 'redis' => ['url' => 'redis://127.0.0.1:6379/0']];

    /**
     * Facts are sent only with a configured transport: an app without a sidecar is not changed.
     *
     * @dataProvider transports
     * @param array<string, mixed> $config
     */
    public function testFactsAreSentOnlyWithAConfiguredTransport(array $config, string $expected): void
    {
        self::assertInstanceOf($expected, Wiring::transport($config));
    }

    /**
     * @return iterable<string, array{array<string, mixed>, class-string}>
     */
    public static function transports(): iterable
    {
        yield 'nothing' => [[], NullTransport::class];
        yield 'nulls of env()' => [['url' => null, 'token' => null, 'transport' => null], NullTransport::class];
        yield 'no token' => [['url' => 'http://127.0.0.1:8700'], NullTransport::class];
        yield 'no url' => [['token' => 'token'], NullTransport::class];
        yield 'http' => [self::HTTP, CircuitBreaker::class];
        yield 'redis' => [self::REDIS, CircuitBreaker::class];
        yield 'none' => [['transport' => 'none'] + self::HTTP, NullTransport::class];
    }

    /**
     * Acks over HTTP wait for the response, and acks over Redis do not, unless configured otherwise.
     *
     * @dataProvider timings
     * @param array<string, mixed> $config
     */
    public function testHttpWaitsForTheResponseAndRedisDoesNot(array $config, bool $expected): void
    {
        self::assertSame($expected, Wiring::isAfterResponse($config));
    }

    /**
     * @return iterable<string, array{array<string, mixed>, bool}>
     */
    public static function timings(): iterable
    {
        yield 'http' => [self::HTTP, true];
        yield 'redis' => [self::REDIS, false];
        yield 'http at once' => [['when' => 'at_once'] + self::HTTP, false];
        yield 'redis after the response' => [['when' => 'after_response'] + self::REDIS, true];
    }

    /**
     * An unknown transport is refused with the allowed values.
     */
    public function testAnUnknownTransportIsRefusedWithTheAllowedValues(): void
    {
        $this->expectException(InvalidArgumentException::class);
        $this->expectExceptionMessage('SIDECAR_TRANSPORT must be http, redis or none');

        Wiring::transport(['transport' => 'carrier pigeon'] + self::HTTP);
    }

    /**
     * An unknown time is refused with the allowed values.
     */
    public function testAnUnknownTimeIsRefusedWithTheAllowedValues(): void
    {
        $this->expectException(InvalidArgumentException::class);
        $this->expectExceptionMessage('SIDECAR_WHEN must be after_response or at_once');

        Wiring::isAfterResponse(['when' => 'later']);
    }

    /**
     * An invalid address of Redis is refused, and the message does not contain its password.
     *
     * @dataProvider wrongAddresses
     */
    public function testAnInvalidAddressOfRedisIsRefusedWithoutItsPassword(string $url, string $says): void
    {
        try {
            RedisConnection::to($url);
            self::fail('the address was accepted');
        } catch (InvalidArgumentException $error) {
            self::assertStringContainsString($says, $error->getMessage());
            self::assertStringNotContainsString('hush', $error->getMessage());
        }
    }

    /**
     * @return iterable<array{string, string}>
     */
    public static function wrongAddresses(): iterable
    {
        yield ['', 'is not of the form'];
        yield ['127.0.0.1:6379', 'is not of the form'];
        yield ['rediss://:hush@redis:6379/0', 'is not of the form'];
        yield ['redis://', 'is not of the form'];
        yield ['redis://:hush@redis/acks', 'is not a number'];
    }

    /**
     * Only users' own channels are reported, and only by their exact name.
     *
     * @testWith ["private-live-refresh.7", true]
     *           ["private-live-refresh.user_A-9", true]
     *           ["private-live-refresh.", false]
     *           ["private-live-refresh.7.8", false]
     *           ["private-live-refreshX7", false]
     *           ["xprivate-live-refresh.7", false]
     *           ["private-live-refresh.7\n", false]
     *           ["private-chat.7", false]
     *           [null, false]
     *           [["private-live-refresh.7"], false]
     */
    public function testOnlyUsersOwnChannelsAreReported(mixed $channel, bool $expected): void
    {
        self::assertSame($expected, (new ChannelName())->isUserChannel($channel));
    }

    /**
     * Reports of authorisation requests can be turned off.
     *
     * @testWith [null, true]
     *           [true, true]
     *           [false, false]
     *           ["0", false]
     */
    public function testReportsCanBeTurnedOff(mixed $value, bool $expected): void
    {
        self::assertSame($expected, Wiring::channelName(['auth_reports' => $value]) !== null);
    }

    /**
     * A broadcast gets a timeout of 3 s, unless the app sets its own; its other options stay.
     */
    public function testABroadcastGetsATimeoutUnlessTheAppSetsOne(): void
    {
        self::assertSame(['connect_timeout' => 1.0, 'timeout' => 3.0], BoundedTimeouts::in(null));
        self::assertSame(
            ['verify' => false, 'timeout' => 5, 'connect_timeout' => 1.0],
            BoundedTimeouts::in(['verify' => false, 'timeout' => 5]),
        );
    }
}
