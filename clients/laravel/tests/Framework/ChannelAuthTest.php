<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests\Framework;

use Closure;
use Illuminate\Auth\AuthenticationException;
use Illuminate\Contracts\Broadcasting\Broadcaster;
use Illuminate\Database\Eloquent\ModelNotFoundException;
use Illuminate\Http\Request;
use PHPUnit\Framework\TestCase;
use ReverbSidecar\Laravel\ChannelName;
use ReverbSidecar\Laravel\Framework\Hooks;
use ReverbSidecar\Laravel\Framework\SidecarBroadcaster;
use ReverbSidecar\Laravel\Tests\Bookings;
use ReverbSidecar\Laravel\Tests\User;
use ReverbSidecar\Laravel\Tests\World;
use ReverbSidecar\Laravel\Unreachable;
use RuntimeException;
use Symfony\Component\HttpKernel\Exception\AccessDeniedHttpException;
use Throwable;
use TypeError;

/**
 * The causes of refused authorisation requests; against stand-ins that throw where the framework throws.
 */
final class ChannelAuthTest extends TestCase
{
    private const CHANNEL = 'private-live-refresh.7';
    private const SELF = '95f44b3c5aa592b645d09171b807017a';

    /**
     * Request a user's channel; return the exception.
     *
     * @param array<string, callable> $channels by pattern
     * @param array<string, mixed> $options
     */
    private function request(World $world, array $channels, Request $request, array $options = []): ?Throwable
    {
        foreach ($channels as $pattern => $callback) {
            $world->broadcasting->channel($pattern, $callback, $options);
        }
        try {
            $world->request(static function () use ($world, $request): void {
                $answer = $world->broadcasting->auth($request);
                self::assertSame(['auth' => 'key:signature-of-' . self::CHANNEL], $answer);
            });
        } catch (Throwable $error) {
            return $error;
        }

        return null;
    }

    /**
     * Every cause has its own name, and the report names the user unless the request is a guest's.
     *
     * @dataProvider causes
     * @param array<string, callable> $channels
     */
    public function testEveryCauseHasItsOwnName(
        array $channels,
        ?int $userId,
        string $expected,
        ?string $who,
    ): void {
        $world = new World(isConsole: true);
        $users = $userId === null ? [] : ['web' => new User($userId)];
        $error = $this->request($world, $channels, new Request(['channel_name' => self::CHANNEL], $users));

        self::assertSame($expected === 'ok', $error === null);
        $report = ['auth' => $expected, 'channel' => self::CHANNEL] + ($who === null ? [] : ['user_ref' => $who]);
        self::assertSame([$report + ['release' => 'v1']], $world->sidecar->sent);
    }

    /**
     * @return iterable<string, array{array<string, callable>, int|null, string, string|null}>
     */
    public static function causes(): iterable
    {
        $own = static fn (User $user, string $userId): bool => $user->id === (int) $userId;
        $pattern = 'live-refresh.{userId}';
        $throwing = static fn (Throwable $error): array => [$pattern => static fn () => throw $error];
        yield 'the owner of the channel' => [[$pattern => $own], 7, 'ok', self::SELF];
        yield 'nobody logged in' => [[$pattern => $own], null, 'guest', null];
        yield 'the guard throws' => [$throwing(new AuthenticationException()), 7, 'guest', null];
        yield 'no channel registered' => [[], 7, 'no_pattern', self::SELF];
        yield 'registered with its prefix' => [['private-live-refresh.{userId}' => $own], 7, 'no_pattern', self::SELF];
        yield 'a typing error' => [['live-refesh.{userId}' => $own], 7, 'no_pattern', self::SELF];
        yield 'the callback says false' => [[$pattern => static fn (): bool => false], 7, 'refused', self::SELF];
        yield 'the callback says nothing' => [[$pattern => static fn () => null], 7, 'refused', self::SELF];
        yield 'an identity that cannot be' => [
            [$pattern => static fn (User $user, string $userId): bool => $user->id === $userId],
            7,
            'refused',
            self::SELF,
        ];
        yield 'somebody else' => [[$pattern => $own], 8, 'refused', 'c940be1c91ae4bc2123d26f5496d63f8'];
        yield 'an earlier pattern says false' => [
            ['{any}.{id}' => static fn (): bool => false, $pattern => $own],
            7,
            'refused',
            self::SELF,
        ];
        yield 'a later pattern says yes' => [
            ['{any}.{id}' => static fn () => null, $pattern => $own],
            7,
            'ok',
            self::SELF,
        ];
        yield 'a model is found' => [
            ['live-refresh.{booking}' => static fn (User $user, Bookings $booking): bool => true],
            7,
            'ok',
            self::SELF,
        ];
        yield 'the callback finds no model' => [$throwing(new ModelNotFoundException()), 7, 'binding', self::SELF];
        yield 'the callback aborts' => [
            [$pattern => static fn () => throw new AccessDeniedHttpException('not yours')],
            7,
            'abort',
            self::SELF,
        ];
        yield 'a helper of the callback refuses, by the name of the framework' => [
            [$pattern => static fn () => Bookings::auth()],
            7,
            'abort',
            self::SELF,
        ];
        yield 'the callback fails' => [$throwing(new TypeError()), 7, 'abort', self::SELF];
    }

    /**
     * A model that the framework does not find is reported as `binding`.
     */
    public function testAModelThatIsNotFoundIsABinding(): void
    {
        $world = new World(isConsole: true);
        $yes = static fn (User $user, Bookings $booking): bool => true;
        $world->broadcasting->channel('live-refresh.{booking}', $yes);
        try {
            $request = new Request(['channel_name' => 'private-live-refresh.8'], ['web' => new User(7)]);
            $world->broadcasting->auth($request);
            self::fail('it was allowed');
        } catch (AccessDeniedHttpException) {
            self::assertSame(['binding'], array_column($world->sidecar->sent, 'auth'));
        }
    }

    /**
     * The exception of the framework is rethrown unchanged.
     */
    public function testTheExceptionIsRethrownUnchanged(): void
    {
        $world = new World();
        $thrown = new AccessDeniedHttpException('not yours');
        $request = new Request(['channel_name' => self::CHANNEL], ['web' => new User(7)]);
        $error = $this->request($world, ['live-refresh.{userId}' => static fn () => throw $thrown], $request);

        self::assertSame($thrown, $error);
    }

    /**
     * A user of only the channel's own guard is found by that guard.
     */
    public function testTheChannelsOwnGuardFindsItsUser(): void
    {
        $world = new World(isConsole: true);
        $request = new Request(['channel_name' => self::CHANNEL], ['sanctum' => new User(7)]);
        $yes = ['live-refresh.{userId}' => static fn (): bool => true];
        $this->request($world, $yes, $request, ['guards' => ['sanctum']]);

        self::assertSame([self::SELF], array_column($world->sidecar->sent, 'user_ref'));
    }

    /**
     * Requests for channels that are not a user's own are not reported.
     *
     * @testWith ["private-chat.7"]
     *           ["presence-live-refresh.7"]
     *           ["private-live-refresh."]
     *           ["private-live-refresh.7.8"]
     *           [""]
     *           [null]
     *           [["private-live-refresh.7"]]
     */
    public function testOtherChannelsAreNotReported(mixed $channel): void
    {
        $world = new World(isConsole: true);
        $world->broadcasting->channel('{a}', static fn (): bool => true);
        try {
            $world->broadcasting->auth(new Request(['channel_name' => $channel], ['web' => new User(7)]));
        } catch (Throwable) {
            // Refused or not, the request is not reported.
        }

        self::assertSame([], $world->sidecar->sent);
    }

    /**
     * A response without a signature, as of `log` and `null`, authorises nothing and is not reported as ok.
     */
    public function testAResponseWithoutASignatureIsNotOk(): void
    {
        $world = new World(isConsole: true);
        $nothing = new class implements Broadcaster {
            public function auth($request)
            {
                return null;
            }

            public function validAuthenticationResponse($request, $result)
            {
                return null;
            }

            public function broadcast(array $channels, $event, array $payload = [])
            {
            }
        };
        $broadcaster = new SidecarBroadcaster($nothing, Hooks::outbox(...), userChannels: new ChannelName());
        $broadcaster->auth(new Request(['channel_name' => self::CHANNEL], ['web' => new User(7)]));

        self::assertSame(['abort'], array_column($world->sidecar->sent, 'auth'));
        self::assertSame([['auth', 'channel', 'release']], array_map(array_keys(...), $world->sidecar->sent));
    }

    /**
     * An unreachable sidecar changes no response, and neither does a user without an id.
     */
    public function testABrokenSidecarChangesNoResponse(): void
    {
        $world = new World(isConsole: true);
        $world->sidecar->onSend = static fn () => throw new Unreachable('nobody');
        $yes = ['live-refresh.{userId}' => static fn (): bool => true];
        $odd = new class {
            public function getAuthIdentifier(): never
            {
                throw new RuntimeException('no id');
            }
        };

        foreach ([new User(7), $odd] as $user) {
            $request = new Request(['channel_name' => self::CHANNEL], ['web' => $user]);
            self::assertNull($this->request($world, $yes, $request));
        }
    }

    /**
     * A report is sent after the response, so that no client waits for it.
     */
    public function testAReportWaitsForTheResponse(): void
    {
        $world = new World();
        $world->broadcasting->channel('live-refresh.{userId}', static fn (): bool => true);
        $world->request(static function () use ($world): void {
            $world->broadcasting->auth(new Request(['channel_name' => self::CHANNEL], ['web' => new User(7)]));
            self::assertSame([], $world->sidecar->sent);
        });

        self::assertSame(['ok'], array_column($world->sidecar->sent, 'auth'));
    }

    /**
     * Reports can be turned off, without turning off acks.
     */
    public function testReportsCanBeTurnedOff(): void
    {
        $world = new World(['auth_reports' => false], isConsole: true);
        $yes = ['live-refresh.{userId}' => static fn (): bool => true];
        $this->request($world, $yes, new Request(['channel_name' => self::CHANNEL], ['web' => new User(7)]));

        self::assertSame([], $world->sidecar->sent);
    }
}
