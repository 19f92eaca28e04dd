<?php

declare(strict_types=1);

namespace Illuminate\Foundation;

use Closure;
use Illuminate\Container\Container;

/**
 * Stand-in: an application with its console flag and its terminating callbacks.
 */
class Application extends Container
{
    /** @var list<Closure> */
    private array $terminating = [];

    public function __construct(private readonly bool $isConsole = false)
    {
    }

    public function runningInConsole(): bool
    {
        return $this->isConsole;
    }

    /**
     * @return $this
     */
    public function terminating(Closure $callback)
    {
        $this->terminating[] = $callback;

        return $this;
    }

    /**
     * Run the terminating callbacks, after the response.
     */
    public function terminate(): void
    {
        foreach ($this->terminating as $callback) {
            $callback();
        }
    }

    public function configPath(string $path = ''): string
    {
        return '/app/config/' . $path;
    }
}
