<?php

declare(strict_types=1);

namespace Illuminate\Config;

/**
 * Stand-in: configuration by dotted keys.
 */
class Repository
{
    /**
     * @param array<string, mixed> $items
     */
    public function __construct(private array $items = [])
    {
    }

    public function get(string $key, mixed $default = null): mixed
    {
        $here = $this->items;
        foreach (explode('.', $key) as $part) {
            if (!is_array($here) || !array_key_exists($part, $here)) {
                return $default;
            }
            $here = $here[$part];
        }

        return $here;
    }

    public function set(string $key, mixed $value): void
    {
        $here = &$this->items;
        foreach (explode('.', $key) as $part) {
            $here = &$here[$part];
        }
        $here = $value;
    }
}
