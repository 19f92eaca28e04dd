<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Framework;

use Illuminate\Broadcasting\BroadcastManager;
use Illuminate\Contracts\Broadcasting\Broadcaster;
use Illuminate\Support\ServiceProvider;
use InvalidArgumentException;
use ReverbSidecar\Laravel\AtOnce;
use ReverbSidecar\Laravel\BoundedTimeouts;
use ReverbSidecar\Laravel\BrowserToken;
use ReverbSidecar\Laravel\Identity;
use ReverbSidecar\Laravel\SendTiming;
use ReverbSidecar\Laravel\NullTransport;
use ReverbSidecar\Laravel\ObservedBroadcast;
use ReverbSidecar\Laravel\Outbox;
use ReverbSidecar\Laravel\PaymentBroadcast;
use ReverbSidecar\Laravel\Transport;
use ReverbSidecar\Laravel\Wiring;

/**
 * Register the package in a Laravel application.
 */
final class SidecarServiceProvider extends ServiceProvider
{
    public const DRIVER = 'reverb-sidecar';
    private const WRAPPED = 'reverb';
    private const NOT_SENDING = ['log', 'null'];

    /**
     * Register the services and the broadcasting driver.
     */
    public function register(): void
    {
        $this->mergeConfigFrom(self::configFile(), self::DRIVER);
        $this->app->singleton(Transport::class, fn (): Transport => $this->transport());
        $this->app->singleton(SendTiming::class, fn (): SendTiming => $this->timing());
        $this->app->singleton(Identity::class, fn (): Identity => Wiring::identity($this->config()));
        $this->app->singleton(ObservedBroadcast::class, fn (): ObservedBroadcast => Wiring::observed($this->config()));
        $this->app->bind(BrowserToken::class, fn (): BrowserToken => new BrowserToken(
            Wiring::text($this->config(), 'browser_secret'),
            (int) Wiring::text($this->config(), 'token_lasts_s'),
            Wiring::text($this->config(), 'environment') ?: null,
        ));
        $this->app->scoped(Outbox::class, fn ($app): Outbox => new Outbox(
            $app->make(Transport::class),
            $app->make(SendTiming::class),
            Hooks::warn(...),
            Wiring::text($this->config(), 'release') ?: null,
            (int) Wiring::text($this->config(), 'budget_ms'),
        ));
        $this->app->bind(PaymentBroadcast::class, static fn ($app): PaymentBroadcast => new PaymentBroadcast(
            $app->make(Outbox::class),
            $app->make(Identity::class),
            Hooks::afterCommit(...),
            Hooks::report(...),
        ));
        $this->callAfterResolving(BroadcastManager::class, function (BroadcastManager $manager): void {
            $manager->extend(self::DRIVER, $this->broadcaster(...));
        });
    }

    /**
     * Set the timeouts of a broadcast, and register the configuration file and the Blade directive.
     */
    public function boot(): void
    {
        $config = $this->app->make('config');
        foreach ($config->get('broadcasting.connections', []) as $connection) {
            if (($connection['driver'] ?? null) === self::DRIVER) {
                $key = 'broadcasting.connections.' . ($connection['wraps'] ?? self::WRAPPED) . '.client_options';
                $config->set($key, BoundedTimeouts::in($config->get($key)));
            }
        }
        $this->publishes([self::configFile() => $this->app->configPath('reverb-sidecar.php')], self::DRIVER);
        $this->callAfterResolving('blade.compiler', static function ($blade): void {
            $php = '<?php echo \\' . TokenTag::class . '::html(); ?>';
            $blade->directive('sidecarToken', static fn (): string => $php);
        });
    }

    /**
     * Return the broadcaster of a connection with this driver. A named method, because Laravel 13 rebinds closures.
     *
     * @param array<string, mixed> $config
     * @throws InvalidArgumentException if it wraps itself
     */
    public function broadcaster(mixed $app, array $config): Broadcaster
    {
        $name = $config['wraps'] ?? self::WRAPPED;
        $driver = $app->make('config')->get("broadcasting.connections.$name.driver", 'null');
        if ($driver === self::DRIVER) {
            throw new InvalidArgumentException("broadcasting.connections.$name wraps a connection of its own driver");
        }

        return new SidecarBroadcaster(
            $app->make(BroadcastManager::class)->connection($name),
            Hooks::outbox(...),
            $app->make(Identity::class),
            Wiring::channelName($this->config()),
            !in_array($driver, self::NOT_SENDING, true),
        );
    }

    private function transport(): Transport
    {
        try {
            return Wiring::transport($this->config());
        } catch (InvalidArgumentException $error) {
            Hooks::warn('reverb-sidecar: nothing is sent to the sidecar', ['reason' => $error->getMessage()]);

            return new NullTransport();
        }
    }

    private function timing(): SendTiming
    {
        try {
            return Wiring::isAfterResponse($this->config()) ? new AfterResponse() : new AtOnce();
        } catch (InvalidArgumentException $error) {
            Hooks::warn('reverb-sidecar: facts are sent after the response', ['reason' => $error->getMessage()]);

            return new AfterResponse();
        }
    }

    /**
     * @return array<string, mixed>
     */
    private function config(): array
    {
        return $this->app->make('config')->get(self::DRIVER, []);
    }

    private static function configFile(): string
    {
        return dirname(__DIR__, 2) . '/config/reverb-sidecar.php';
    }
}
