<?php

declare(strict_types=1);

namespace Illuminate\Broadcasting;

use Closure;
use Illuminate\Broadcasting\Broadcasters\PusherBroadcaster;
use Illuminate\Contracts\Broadcasting\Broadcaster;
use Illuminate\Foundation\Application;
use InvalidArgumentException;
use ReflectionFunction;

/**
 * Stand-in: makes a broadcaster of each connection, once, and delegates everything else to the default one.
 *
 * Like Laravel 13 it rebinds anonymous creators to itself; 11 and 12 leave them unchanged.
 */
class BroadcastManager
{
    /** @var array<string, Broadcaster> */
    private array $drivers = [];

    /** @var array<string, Closure> */
    private array $creators = [];

    /**
     * @param Closure(list<string>, string, array<string, mixed>): void $reverb
     */
    public function __construct(private readonly Application $app, private readonly Closure $reverb)
    {
    }

    /**
     * @return $this
     */
    public function extend(string $driver, Closure $callback)
    {
        $isAnonymous = str_contains((new ReflectionFunction($callback))->getName(), '{closure');
        $this->creators[$driver] = $isAnonymous ? Closure::bind($callback, $this, static::class) : $callback;

        return $this;
    }

    public function connection(?string $name = null): mixed
    {
        $config = $this->app->make('config');
        $name ??= $config->get('broadcasting.default');

        return $this->drivers[$name] ??= $this->resolve($config->get("broadcasting.connections.$name"));
    }

    /**
     * @param array<array-key, mixed> $arguments
     */
    public function __call(string $method, array $arguments): mixed
    {
        return $this->connection()->{$method}(...$arguments);
    }

    /**
     * @param array<string, mixed>|null $config
     */
    private function resolve(?array $config): Broadcaster
    {
        $driver = $config['driver'] ?? throw new InvalidArgumentException('Broadcast connection is not defined.');
        if (isset($this->creators[$driver])) {
            return ($this->creators[$driver])($this->app, $config);
        }

        return new PusherBroadcaster($driver === 'reverb' ? $this->reverb : static function (): void {
        });
    }
}
