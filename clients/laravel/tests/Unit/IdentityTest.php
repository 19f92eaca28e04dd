<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests\Unit;

use PHPUnit\Framework\TestCase;
use ReverbSidecar\Laravel\Identity;
use ReverbSidecar\Laravel\ObservedBroadcast;

/**
 * The identity of a user, and the payload of an observed broadcast.
 */
final class IdentityTest extends TestCase
{
    private const KEY = 'identity-key-for-the-vectors-0123456789';

    /**
     * The references equal those of the sidecar (`sidecar.tokens.user_ref`).
     *
     * @dataProvider vectors
     */
    public function testAReferenceEqualsThatOfTheSidecar(int|string $userId, string $expected): void
    {
        self::assertSame($expected, (new Identity(self::KEY))->reference($userId));
    }

    /**
     * @return iterable<array{int|string, string}>
     */
    public static function vectors(): iterable
    {
        yield [7, '95f44b3c5aa592b645d09171b807017a'];
        yield ['7', '95f44b3c5aa592b645d09171b807017a'];
        yield [0, 'ae8944c203dd336849e843b48bc50e75'];
        yield ['user_A-9', 'd536a74f20d164a235e42158a69c897e'];
        yield ['18446744073709551615', 'fc5079de8a3e0abea668ec1db4ec66e3'];
        yield ['zoë', 'bd2a13a402276a83cba265be24fcc8d1'];
    }

    /**
     * With the key a user is sent as an opaque reference, without it as an id, which the sidecar does not store.
     */
    public function testWithoutAKeyTheIdIsSent(): void
    {
        self::assertSame(['user_ref' => '95f44b3c5aa592b645d09171b807017a'], (new Identity(self::KEY))->fields(7));
        self::assertSame(['user_id' => '7'], (new Identity())->fields(7));
        self::assertSame([], (new Identity())->fields(null));
        self::assertSame([], (new Identity(self::KEY))->fields(null));
        self::assertSame([], (new Identity())->fields('a b'));
        self::assertNull((new Identity())->reference(7));
    }

    /**
     * A payload with a payment names it and its only recipient; fields of the app are not overwritten.
     *
     * @dataProvider payloads
     * @param array<string, mixed> $payload
     * @param list<int> $userIds
     * @param array<string, mixed> $expected
     */
    public function testAnObservedBroadcastNamesItsPayment(
        array $payload,
        ?string $payment,
        array $userIds,
        ?string $key,
        array $expected,
    ): void {
        $observed = new ObservedBroadcast(new Identity($key));

        self::assertSame($expected, $observed->payload($payload, $payment, $userIds));
    }

    /**
     * @return iterable<string, array{array<string, mixed>, string|null, list<int>, string|null, array<string, mixed>}>
     */
    public static function payloads(): iterable
    {
        $plain = ['contexts' => ['bookings']];
        $named = $plain + ['payment_intent' => 'pi_1'];
        $reference = '95f44b3c5aa592b645d09171b807017a';
        yield 'no payment' => [$plain, null, [7], self::KEY, $plain];
        yield 'one user' => [$plain, 'pi_1', [7], self::KEY, $named + ['user_ref' => $reference]];
        yield 'one user under any key' => [$plain, 'pi_1', [3 => 7], self::KEY, $named + ['user_ref' => $reference]];
        yield 'no key' => [$plain, 'pi_1', [7], null, $named];
        yield 'two users' => [$plain, 'pi_1', [7, 8], self::KEY, $named];
        yield 'nobody' => [$plain, 'pi_1', [], self::KEY, $named];
        yield 'named by the app' => [['payment_intent' => 'pi_app'], 'pi_1', [], null, ['payment_intent' => 'pi_app']];
    }
}
