<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests\Unit;

use PHPUnit\Framework\TestCase;
use ReverbSidecar\Laravel\Ack;
use ReverbSidecar\Laravel\AuthReport;
use ReverbSidecar\Laravel\AuthResult;
use ReverbSidecar\Laravel\SkipReason;

/**
 * The fields of facts on the wire.
 */
final class AckTest extends TestCase
{
    /**
     * Each fact has exactly the fields that the sidecar reads, and no empty one.
     *
     * @dataProvider facts
     * @param array<string, mixed> $expected
     */
    public function testAFactHasTheFieldsThatTheSidecarReads(object $fact, array $expected): void
    {
        self::assertSame($expected, $fact->fields());
    }

    /**
     * @return iterable<string, array{object, array<string, mixed>}>
     */
    public static function facts(): iterable
    {
        $payload = ['contexts' => ['bookings'], 'payment_intent' => 'pi_1', 'user_ref' => 'abc', 'socket' => null];
        $named = ['payment_intent' => 'pi_1', 'user_ref' => 'abc', 'contexts' => ['bookings']];
        yield 'paid' => [Ack::paid('pi_1'), ['stage' => 'paid', 'payment_intent' => 'pi_1']];
        yield 'paid, with its user' => [
            Ack::paid('pi_1', 'abc'),
            ['stage' => 'paid', 'payment_intent' => 'pi_1', 'user_ref' => 'abc'],
        ];
        yield 'dispatched' => [Ack::dispatched($payload), ['stage' => 'dispatched', ...$named]];
        yield 'failed' => [Ack::failed($payload), ['stage' => 'skipped', ...$named, 'reason' => 'failed']];
        yield 'skipped' => [
            Ack::skipped('pi_1', SkipReason::AlreadyPaid),
            ['stage' => 'skipped', 'payment_intent' => 'pi_1', 'reason' => 'already_paid'],
        ];
        yield 'auth' => [
            new AuthReport(AuthResult::NoPattern, 'private-live-refresh.7', ['user_ref' => 'abc']),
            ['auth' => 'no_pattern', 'channel' => 'private-live-refresh.7', 'user_ref' => 'abc'],
        ];
    }

    /**
     * A broadcast without a payment, or with an invalid payment id, gives no ack.
     *
     * @dataProvider nameless
     * @param array<string, mixed> $payload
     */
    public function testAPayloadWithoutAValidPaymentGivesNoAck(array $payload): void
    {
        self::assertNull(Ack::dispatched($payload));
        self::assertNull(Ack::failed($payload));
    }

    /**
     * @return iterable<string, array{array<string, mixed>}>
     */
    public static function nameless(): iterable
    {
        yield 'nothing' => [[]];
        yield 'contexts alone' => [['contexts' => ['children']]];
        yield 'null' => [['payment_intent' => null]];
        yield 'empty' => [['payment_intent' => '']];
        yield 'a number' => [['payment_intent' => 7]];
        yield 'with a space' => [['payment_intent' => 'pi 1']];
        yield 'with a line break at the end' => [['payment_intent' => "pi_1\n"]];
        yield 'too long' => [['payment_intent' => str_repeat('p', 256)]];
        yield 'not ASCII' => [['payment_intent' => 'pi_é']];
    }

    /**
     * The longest id is accepted; invalid contexts and references are left out, and the ack is still sent.
     */
    public function testInvalidFieldsBesideThePaymentAreLeftOut(): void
    {
        $odd = ['user_ref' => ['x'], 'contexts' => ['a b', 3, 'bookings']];
        $fields = Ack::dispatched(['payment_intent' => str_repeat('p', 255)] + $odd)?->fields();

        self::assertSame(['stage', 'payment_intent', 'contexts'], array_keys($fields ?? []));
        self::assertSame(['bookings'], $fields['contexts'] ?? null);
    }

    /**
     * Of more contexts than the sidecar accepts, the first twenty are sent.
     */
    public function testContextsAreBounded(): void
    {
        $payload = ['payment_intent' => 'pi_1', 'contexts' => array_fill(0, 21, 'bookings')];

        self::assertCount(20, Ack::dispatched($payload)?->fields()['contexts'] ?? []);
    }
}
