<?php

declare(strict_types=1);

namespace Illuminate\Foundation;

use Closure;
use Illuminate\Container\Container;

/**
 * Stand-in: an application that knows whether it answers a request, and what is to be done when it has.
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
     * The response is out.
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
