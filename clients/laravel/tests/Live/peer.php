<?php

/**
 * A peer on loopback that sends scripted responses to any request. It prints its port first.
 *
 * Each argument is one connection: parts in base64, joined by commas. The peer waits for a request, and then sends them
 * 20 ms apart. The part `again` waits for another request; `silence` sends nothing more, and keeps the connection open.
 * After the last part the peer closes the connection. It prints every request in base64, one per line.
 */

declare(strict_types=1);

$server = stream_socket_server('tcp://127.0.0.1:0');
echo explode(':', stream_socket_get_name($server, false))[1], "\n";
$kept = [];
foreach (array_slice($argv, 1) as $script) {
    $connection = stream_socket_accept($server, 30);
    echo base64_encode((string) fread($connection, 65536)), "\n";
    foreach (explode(',', $script) as $part) {
        if ($part === 'again') {
            echo base64_encode((string) fread($connection, 65536)), "\n";
        } elseif ($part === 'silence') {
            $kept[] = $connection;
            continue 2;
        } else {
            @fwrite($connection, (string) base64_decode($part));
            usleep(20_000);
        }
    }
    fclose($connection);
}
if ($kept !== []) {
    sleep(30);
}
