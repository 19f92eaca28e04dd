<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests\Framework;

use Illuminate\Container\Container;
use Illuminate\Http\Request;
use InvalidArgumentException;
use PHPUnit\Framework\TestCase;
use ReverbSidecar\Laravel\Framework\BrowserTokenController;
use ReverbSidecar\Laravel\Framework\TokenTag;
use ReverbSidecar\Laravel\NullTransport;
use ReverbSidecar\Laravel\PaymentBroadcast;
use ReverbSidecar\Laravel\Tests\PaymentEvent;
use ReverbSidecar\Laravel\Tests\User;
use ReverbSidecar\Laravel\Tests\World;
use ReverbSidecar\Laravel\Transport;

/**
 * What the package registers in an application; against stand-ins of the framework.
 */
final class ProviderTest extends TestCase
{
    private const SECRET = 'browser-secret-for-the-vectors-0123456789abcdef';

    /**
     * The wrapped connection gets timeouts before it is made, and its other options stay.
     */
    public function testTheWrappedConnectionGetsTimeouts(): void
    {
        $world = new World();

        self::assertSame(
            ['verify' => false, 'connect_timeout' => 1.0, 'timeout' => 3.0],
            $world->config->get('broadcasting.connections.reverb.client_options'),
        );
        self::assertNull($world->config->get('broadcasting.connections.quiet.client_options'));
    }

    /**
     * A connection that would wrap itself is refused with a message instead of recursing.
     */
    public function testAConnectionCannotWrapItself(): void
    {
        $world = new World();
        $world->config->set('broadcasting.connections.reverb-sidecar.wraps', 'reverb-sidecar');
        $this->expectException(InvalidArgumentException::class);
        $this->expectExceptionMessage('wraps a connection of its own driver');

        $world->broadcasting->connection();
    }

    /**
     * Without configuration the app is unchanged: it broadcasts, and sends nothing to a sidecar.
     */
    public function testAnAppWithoutASidecarIsUnchanged(): void
    {
        $world = new World(isConsole: true, isRecorded: false);
        PaymentEvent::dispatch(7, 'pi_1');

        self::assertInstanceOf(NullTransport::class, $world->app()->make(Transport::class));
        self::assertCount(1, $world->reverb);
        self::assertSame([], $world->logged);
    }

    /**
     * An invalid configuration is logged, without secrets, and fails neither the payment nor the broadcast.
     *
     * @dataProvider wrong
     * @param array<string, mixed> $config
     */
    public function testAnInvalidConfigurationFailsNoPayment(array $config, string $says): void
    {
        $world = new World($config, isConsole: true, isRecorded: false);
        $payments = $world->app()->make(PaymentBroadcast::class);
        $payments->paid('pi_1', 7, static fn () => PaymentEvent::dispatch(7, 'pi_1'));

        self::assertCount(1, $world->reverb);
        self::assertStringContainsString($says, $world->logged[0][1]['reason']);
        self::assertStringNotContainsString('hush', json_encode($world->logged, JSON_THROW_ON_ERROR));
    }

    /**
     * @return iterable<string, array{array<string, mixed>, string}>
     */
    public static function wrong(): iterable
    {
        yield 'a transport' => [['transport' => 'pigeon'], 'SIDECAR_TRANSPORT must be http, redis or none'];
        yield 'an address' => [
            ['transport' => 'redis', 'redis' => ['url' => 'rediss://:hush@redis']],
            'SIDECAR_REDIS_URL is not of the form',
        ];
        yield 'a moment' => [['when' => 'later'], 'SIDECAR_WHEN must be after_response or at_once'];
        yield 'a closed port' => [['url' => 'http://127.0.0.1:9', 'token' => 'hush'], 'POST /acks: '];
    }

    /**
     * Without environment variables the configuration has the documented defaults.
     */
    public function testTheDefaultsAreTheDocumentedOnes(): void
    {
        self::assertSame([
            'transport' => 'http',
            'url' => null,
            'token' => null,
            'redis' => ['url' => 'redis://127.0.0.1:6379/0', 'password' => null, 'stream' => 'broadcast-acks'],
            'when' => null,
            'budget_ms' => 250,
            'identity_key' => null,
            'browser_secret' => null,
            'token_lasts_s' => 900,
            'environment' => null,
            'channel' => 'private-live-refresh.{user_id}',
            'auth_reports' => true,
            'observer_channel' => 'reverb-sidecar',
            'release' => null,
        ], (new World(null))->config->get('reverb-sidecar'));
    }

    /**
     * The configuration file can be published, and the Blade directive is registered.
     */
    public function testTheFileAndTheDirectiveAreRegistered(): void
    {
        $world = new World();
        $file = dirname(__DIR__, 2) . '/config/reverb-sidecar.php';

        self::assertSame(['/app/config/reverb-sidecar.php'], array_values($world->provider->published));
        self::assertSame($file, realpath(array_keys($world->provider->published)[0]));
        self::assertSame(['sidecarToken: <?php echo \\' . TokenTag::class . '::html(); ?>'], $world->directives);
    }

    /**
     * The tag contains a token of the user; guests get none, and without a secret the page is still rendered.
     */
    public function testThePageGetsATokenOfItsUser(): void
    {
        $world = new World(['browser_secret' => self::SECRET]);
        self::assertSame('', TokenTag::html());
        $world->userId = 7;
        self::assertMatchesRegularExpression(
            '~\A<meta name="sidecar-token" content="[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+">\z~',
            TokenTag::html(),
        );

        $without = new World();
        $without->userId = 7;
        self::assertSame('', TokenTag::html());
        self::assertStringContainsString('SIDECAR_BROWSER_SECRET', $without->reported[0]);
    }

    /**
     * The route returns a token of the authenticated user, with the configured lifetime, uncached; guests get 401.
     */
    public function testTheRouteReturnsATokenOfTheAuthenticatedUser(): void
    {
        new World(['browser_secret' => self::SECRET, 'token_lasts_s' => 60, 'environment' => 'staging']);
        $controller = Container::getInstance()->make(BrowserTokenController::class);
        $answer = $controller(new Request(users: ['web' => new User(7)]));
        $claims = json_decode((string) base64_decode(explode('.', $answer->data['token'])[1]), true);

        self::assertSame([200, 'no-store, private'], [$answer->status, $answer->headers['Cache-Control']]);
        self::assertSame(['7', 60, 'staging'], [$claims['sub'], $claims['exp'] - $claims['iat'], $claims['env']]);
        self::assertSame(401, $controller(new Request())->status);
    }
}
