<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests\Unit;

use InvalidArgumentException;
use PHPUnit\Framework\TestCase;
use ReverbSidecar\Laravel\BoundedTimeouts;
use ReverbSidecar\Laravel\ChannelName;
use ReverbSidecar\Laravel\Nowhere;
use ReverbSidecar\Laravel\Pausing;
use ReverbSidecar\Laravel\RedisConnection;
use ReverbSidecar\Laravel\Wiring;

/**
 * What a configuration comes to.
 */
final class WiringTest extends TestCase
{
    private const HTTP = ['url' => 'http://127.0.0.1:8700', 'token' => 'token'];
    private const REDIS = ['transport' => 'redis', 'redis' => ['url' => 'redis://127.0.0.1:6379/0']];

    /**
     * Facts are sent only where it is said how: an app without a sidecar is not changed.
     *
     * @dataProvider transports
     * @param array<string, mixed> $config
     */
    public function testFactsAreSentOnlyWhereItIsSaidHow(array $config, string $expected): void
    {
        self::assertInstanceOf($expected, Wiring::transport($config));
    }

    /**
     * @return iterable<string, array{array<string, mixed>, class-string}>
     */
    public static function transports(): iterable
    {
        yield 'nothing' => [[], Nowhere::class];
        yield 'nulls, as env() gives them' => [['url' => null, 'token' => null, 'transport' => null], Nowhere::class];
        yield 'no token' => [['url' => 'http://127.0.0.1:8700'], Nowhere::class];
        yield 'no url' => [['token' => 'token'], Nowhere::class];
        yield 'http' => [self::HTTP, Pausing::class];
        yield 'redis' => [self::REDIS, Pausing::class];
        yield 'none' => [['transport' => 'none'] + self::HTTP, Nowhere::class];
    }

    /**
     * Acks by HTTP wait for the response, those by Redis do not, unless it is said otherwise.
     *
     * @dataProvider moments
     * @param array<string, mixed> $config
     */
    public function testHttpWaitsForTheResponseAndRedisDoesNot(array $config, bool $expected): void
    {
        self::assertSame($expected, Wiring::isAfterResponse($config));
    }

    /**
     * @return iterable<string, array{array<string, mixed>, bool}>
     */
    public static function moments(): iterable
    {
        yield 'http' => [self::HTTP, true];
        yield 'redis' => [self::REDIS, false];
        yield 'http at once' => [['when' => 'at_once'] + self::HTTP, false];
        yield 'redis after the response' => [['when' => 'after_response'] + self::REDIS, true];
    }

    /**
     * A wrong word is refused with what is allowed.
     */
    public function testAWrongTransportIsRefusedInWords(): void
    {
        $this->expectException(InvalidArgumentException::class);
        $this->expectExceptionMessage('SIDECAR_TRANSPORT is http, redis or none');

        Wiring::transport(['transport' => 'carrier pigeon'] + self::HTTP);
    }

    /**
     * Likewise a wrong moment.
     */
    public function testAWrongMomentIsRefusedInWords(): void
    {
        $this->expectException(InvalidArgumentException::class);
        $this->expectExceptionMessage('SIDECAR_WHEN is after_response or at_once');

        Wiring::isAfterResponse(['when' => 'later']);
    }

    /**
     * An address of Redis that is none is refused, and a password in it is not repeated.
     *
     * @dataProvider wrongAddresses
     */
    public function testAWrongAddressOfRedisIsRefusedWithoutItsPassword(string $url, string $says): void
    {
        try {
            RedisConnection::to($url);
            self::fail('it was taken');
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
     * Only users' own channels are told of, and those by their exact name.
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
    public function testOnlyUsersOwnChannelsAreToldOf(mixed $channel, bool $expected): void
    {
        self::assertSame($expected, (new ChannelName())->isSomebodys($channel));
    }

    /**
     * Reports of requests for channels can be turned off.
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
     * A broadcast takes at most 3 s, unless the app sets its own bound; the rest of its options stays.
     */
    public function testABroadcastIsBoundedUnlessTheAppBoundsItItself(): void
    {
        self::assertSame(['connect_timeout' => 1.0, 'timeout' => 3.0], BoundedTimeouts::in(null));
        self::assertSame(
            ['verify' => false, 'timeout' => 5, 'connect_timeout' => 1.0],
            BoundedTimeouts::in(['verify' => false, 'timeout' => 5]),
        );
    }
}
