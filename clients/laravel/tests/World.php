<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests;

use Closure;
use Illuminate\Broadcasting\BroadcastEvent;
use Illuminate\Broadcasting\BroadcastException;
use Illuminate\Broadcasting\BroadcastManager;
use Illuminate\Config\Repository;
use Illuminate\Container\Container;
use Illuminate\Contracts\Broadcasting\ShouldBroadcast;
use Illuminate\Contracts\Broadcasting\ShouldBroadcastNow;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Foundation\Application;
use ReverbSidecar\Laravel\Framework\SidecarServiceProvider;
use ReverbSidecar\Laravel\Transport;
use Throwable;

/**
 * A small application of stand-ins with the real package in it: broadcasting, a queue, a database, error reporting.
 */
final class World
{
    private const CONFIGURED = ['identity_key' => 'identity-key-for-the-vectors-0123456789', 'release' => 'v1'];

    public readonly Recorder $sidecar;
    public readonly BroadcastManager $broadcasting;
    public readonly SidecarServiceProvider $provider;
    public readonly Repository $config;

    /** @var list<array{list<string>, string, array<string, mixed>}> the calls of Reverb's API */
    public array $reverb = [];

    /** @var list<string> messages of reported exceptions */
    public array $reported = [];

    /** @var list<array{string, array<string, mixed>}> */
    public array $logged = [];

    /** @var list<string> serialised jobs */
    public array $queue = [];

    /** @var list<string> the directives of the Blade compiler */
    public array $directives = [];

    /** @var list<Closure>|null the work that waits for a commit; null: no transaction is open */
    public ?array $transaction = null;

    public ?Throwable $reverbThrows = null;
    public bool $isQueueDown = false;
    public int|null $userId = null;
    private Application $app;

    /**
     * @param array<string, mixed>|null $config of the package; null: from the environment
     * @param bool $isRecorded false: the transport is the configured one
     */
    public function __construct(?array $config = [], bool $isConsole = false, bool $isRecorded = true)
    {
        $this->sidecar = new Recorder();
        $this->config = new Repository([
            'broadcasting' => [
                'default' => 'reverb-sidecar',
                'connections' => [
                    'reverb-sidecar' => ['driver' => 'reverb-sidecar', 'wraps' => 'reverb'],
                    'reverb' => ['driver' => 'reverb', 'client_options' => ['verify' => false]],
                    'quiet' => ['driver' => 'log'],
                ],
            ],
            'reverb-sidecar' => $config === null ? [] : $config + self::CONFIGURED,
        ]);
        $this->app = $this->application($isConsole);
        $this->broadcasting = new BroadcastManager($this->app, $this->reverb(...));
        $this->fill($this->app);
        $this->provider = new SidecarServiceProvider($this->app);
        $this->provider->register();
        if ($isRecorded) {
            $this->app->instance(Transport::class, $this->sidecar);
        }
        $this->provider->boot();
        $this->app->make(BroadcastManager::class);
    }

    /**
     * Return the application that handles the present request or job.
     */
    public function app(): Application
    {
        return $this->app;
    }

    /**
     * Handle another request in the same process, as Octane does: in a clone without scoped instances.
     *
     * @param Closure(): void $work
     */
    public function request(Closure $work): void
    {
        $base = $this->app;
        $this->app = clone $base;
        $this->app->forgetScopedInstances();
        Container::setInstance($this->app);
        try {
            $work();
            $this->app->terminate();
        } finally {
            $this->app = $base;
            Container::setInstance($base);
        }
    }

    /**
     * Run the queued jobs in a worker, one after the other; a failed job is reported there.
     */
    public function work(): void
    {
        foreach ($this->queue as $job) {
            $this->app->forgetScopedInstances();
            try {
                unserialize($job)->handle($this->broadcasting);
            } catch (Throwable $error) {
                $this->reported[] = $error->getMessage();
            }
        }
        $this->queue = [];
    }

    /**
     * Commit the open transaction.
     */
    public function commit(): void
    {
        $waiting = $this->transaction ?? [];
        $this->transaction = null;
        array_map(static fn (Closure $work) => $work(), $waiting);
    }

    /**
     * Make Reverb's API refuse every event.
     */
    public function refuse(): void
    {
        $this->reverbThrows = new BroadcastException('Pusher error: cURL error 7.');
    }

    private function application(bool $isConsole): Application
    {
        $app = new Application($isConsole);
        Container::setInstance($app);

        return $app;
    }

    private function fill(Application $app): void
    {
        $app->instance('config', $this->config);
        $app->singleton(BroadcastManager::class, fn (): BroadcastManager => $this->broadcasting);
        $app->instance('events', new class ($this->dispatch(...)) {
            public function __construct(private Closure $dispatch)
            {
            }

            public function dispatch(ShouldBroadcast $event): void
            {
                ($this->dispatch)($event);
            }
        });
        $app->instance('db', new class ($this->afterCommit(...)) {
            public function __construct(private Closure $afterCommit)
            {
            }

            public function afterCommit(Closure $callback): void
            {
                ($this->afterCommit)($callback);
            }
        });
        $app->instance('log', new class ($this->log(...)) {
            public function __construct(private Closure $log)
            {
            }

            /**
             * @param array<string, mixed> $context
             */
            public function warning(string $message, array $context = []): void
            {
                ($this->log)($message, $context);
            }
        });
        $app->instance(ExceptionHandler::class, new class ($this->report(...)) implements ExceptionHandler {
            public function __construct(private Closure $report)
            {
            }

            public function report(Throwable $e)
            {
                ($this->report)($e);
            }
        });
        $app->instance('auth', new class (fn (): ?int => $this->userId) {
            public function __construct(private Closure $id)
            {
            }

            public function id(): ?int
            {
                return ($this->id)();
            }
        });
        $app->instance('blade.compiler', new class ($this->directive(...)) {
            public function __construct(private Closure $directive)
            {
            }

            public function directive(string $name, Closure $handler): void
            {
                ($this->directive)($name, $handler);
            }
        });
    }

    /**
     * @param list<string> $channels
     * @param array<string, mixed> $payload
     */
    private function reverb(array $channels, string $event, array $payload): void
    {
        $this->reverb[] = [$channels, $event, $payload];
        if ($this->reverbThrows !== null) {
            throw $this->reverbThrows;
        }
    }

    private function dispatch(ShouldBroadcast $event): void
    {
        $job = new BroadcastEvent(clone $event);
        if ($event instanceof ShouldBroadcastNow) {
            $job->handle($this->broadcasting);

            return;
        }
        if ($this->isQueueDown) {
            throw new \RuntimeException('Connection to the queue refused');
        }
        $this->queue[] = serialize($job);
    }

    private function afterCommit(Closure $work): void
    {
        if ($this->transaction === null) {
            $work();
        } else {
            $this->transaction[] = $work;
        }
    }

    /**
     * @param array<string, mixed> $context
     */
    private function log(string $message, array $context): void
    {
        $this->logged[] = [$message, $context];
    }

    private function report(Throwable $error): void
    {
        $this->reported[] = $error->getMessage();
    }

    private function directive(string $name, Closure $handler): void
    {
        $this->directives[] = "$name: " . $handler();
    }
}
