<?php

declare(strict_types=1);

namespace Illuminate\Support;

use Closure;
use Illuminate\Foundation\Application;

/**
 * Stand-in: the base class of a package's provider.
 */
abstract class ServiceProvider
{
    /** @var array<string, string> */
    public array $published = [];

    public function __construct(protected Application $app)
    {
    }

    protected function mergeConfigFrom(string $path, string $key): void
    {
        $config = $this->app->make('config');
        $config->set($key, array_merge(require $path, $config->get($key, [])));
    }

    protected function callAfterResolving(string $name, Closure $callback): void
    {
        $this->app->afterResolving($name, $callback);
        if ($this->app->resolved($name)) {
            $callback($this->app->make($name), $this->app);
        }
    }

    /**
     * @param array<string, string> $paths
     */
    protected function publishes(array $paths, ?string $groups = null): void
    {
        $this->published += $paths;
    }
}
