<?php

declare(strict_types=1);

namespace Illuminate\Container;

use Closure;
use ReflectionClass;

/**
 * Stand-in: bindings, singletons, scoped instances, and callbacks after resolving.
 */
class Container
{
    private static ?Container $instance = null;

    /** @var array<string, array{Closure, string}> */
    private array $bindings = [];

    /** @var array<string, mixed> */
    private array $instances = [];

    /** @var array<string, list<Closure>> */
    private array $afterResolving = [];

    public static function getInstance(): static
    {
        return self::$instance ??= new static();
    }

    public static function setInstance(?Container $container): void
    {
        self::$instance = $container;
    }

    public function bind(string $abstract, Closure $concrete): void
    {
        $this->bindings[$abstract] = [$concrete, 'bind'];
    }

    public function singleton(string $abstract, Closure $concrete): void
    {
        $this->bindings[$abstract] = [$concrete, 'singleton'];
    }

    public function scoped(string $abstract, Closure $concrete): void
    {
        $this->bindings[$abstract] = [$concrete, 'scoped'];
    }

    public function instance(string $abstract, mixed $instance): void
    {
        $this->instances[$abstract] = $instance;
    }

    public function forgetScopedInstances(): void
    {
        $scoped = array_filter($this->bindings, static fn (array $binding): bool => $binding[1] === 'scoped');
        $this->instances = array_diff_key($this->instances, $scoped);
    }

    public function resolved(string $abstract): bool
    {
        return isset($this->instances[$abstract]);
    }

    public function afterResolving(string $abstract, Closure $callback): void
    {
        $this->afterResolving[$abstract][] = $callback;
    }

    public function make(string $abstract): mixed
    {
        if (isset($this->instances[$abstract])) {
            return $this->instances[$abstract];
        }
        [$concrete, $kind] = $this->bindings[$abstract] ?? [fn (): object => $this->build($abstract), 'bind'];
        $made = $concrete($this);
        if ($kind !== 'bind') {
            $this->instances[$abstract] = $made;
        }
        foreach ($this->afterResolving[$abstract] ?? [] as $callback) {
            $callback($made, $this);
        }

        return $made;
    }

    private function build(string $class): object
    {
        $parameters = (new ReflectionClass($class))->getConstructor()?->getParameters() ?? [];

        return new $class(...array_map(fn ($each): mixed => $this->make($each->getType()->getName()), $parameters));
    }
}
