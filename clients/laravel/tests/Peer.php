<?php

declare(strict_types=1);

namespace ReverbSidecar\Laravel\Tests;

use RuntimeException;

/**
 * A separate process that sends scripted responses on loopback (`tests/Live/peer.php`).
 */
final class Peer
{
    public readonly int $port;

    /** @var resource */
    private $process;

    /** @var resource */
    private $output;

    /**
     * @param list<string> ...$connections the parts to send on each
     */
    public function __construct(array ...$connections)
    {
        $words = ['again', 'silence'];
        $scripts = array_map(static fn (array $parts): string => implode(',', array_map(
            static fn (string $part): string => in_array($part, $words, true) ? $part : base64_encode($part),
            $parts,
        )), $connections);
        $command = [PHP_BINARY, __DIR__ . '/Live/peer.php', ...$scripts];
        $process = proc_open($command, [1 => ['pipe', 'w']], $pipes);
        if ($process === false) {
            throw new RuntimeException('no process');
        }
        [$this->process, $this->output] = [$process, $pipes[1]];
        $this->port = (int) fgets($this->output);
    }

    public function __destruct()
    {
        proc_terminate($this->process, 9);
        proc_close($this->process);
    }

    /**
     * Return the next request that it received.
     */
    public function received(): string
    {
        return (string) base64_decode((string) fgets($this->output));
    }
}
