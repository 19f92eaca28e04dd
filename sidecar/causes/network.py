"""Name resolution, connection and TLS; to Reverb, and where it differs, to the app."""

from sidecar.causes.cause import Cause
from sidecar.core.facts.auth_probes import AuthProbeOutcome as W

_UPGRADE_NGINX = (
    "nginx, in the location of /app: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
    'proxy_set_header Connection "Upgrade"; proxy_set_header Host $http_host;'
)

NETWORK: dict[W, Cause] = {
    W.OK: Cause(
        exit_code=0,
        sentence="Everything is well: a browser as this user gets its channel.",
        reasons=(),
        changes=(),
    ),
    W.DNS: Cause(
        exit_code=10,
        sentence="The name of Reverb's host has no address here.",
        reasons=(
            "A misspelt host, or VITE_REVERB_HOST was empty when the frontend was built (browsers then try ws-.pusher.com)",
            "The record exists only inside or only outside your network",
            "Temporary failure in name resolution: the name server here does not answer, or failed itself",
        ),
        changes=(
            "Our config: reverb.url must be what browsers use: VITE_REVERB_SCHEME, VITE_REVERB_HOST and VITE_REVERB_PORT",
            "DNS: create the record, or run the sidecar where browsers' names resolve",
        ),
    ),
    W.CONNECTION_REFUSED: Cause(
        exit_code=11,
        sentence="Nobody listens where Reverb should be.",
        reasons=(
            "Reverb is not running: after an exception in its event loop it exits with code 0 and without a line of log",
            "Another port than REVERB_SERVER_PORT, or `localhost` from inside a container",
            "Redis was away for REDIS_TIMEOUT (60 s) with scaling on: then Reverb exits",
        ),
        changes=(
            "Server: php artisan reverb:start --debug, and read its output when it exits",
            "Supervisor: autorestart=true (not `unexpected`); systemd: Restart=always; Docker: restart: always",
            "Laravel: REVERB_SERVER_HOST=0.0.0.0 where the proxy is on another machine or in another container",
        ),
    ),
    W.CONNECTION_RESET: Cause(
        exit_code=12,
        sentence="The connection was cut before an answer came.",
        reasons=(
            "Reverb or the proxy before it was just restarted or ran out of file descriptors (1024 without ext-uv)",
            "A load balancer that has no healthy target",
            "A firewall that cuts what is not plain HTTP",
        ),
        changes=(
            "Server: ulimit -n, ext-uv (pecl install uv), and the proxy's worker_connections",
            "Proxy: its error log at this moment names the upstream that failed",
        ),
    ),
    W.UNREACHABLE: Cause(
        exit_code=13,
        sentence="Reverb's address is unreachable from here.",
        reasons=("A firewall or a security group refuses it", "An address that is valid only in another network"),
        changes=("Network: allow the sidecar to reach the public address of Reverb, as browsers do",),
    ),
    W.TLS_EXPIRED: Cause(
        exit_code=20,
        sentence="The certificate is not valid today.",
        reasons=("Its renewal failed, or the proxy was not reloaded after it", "This machine's clock is wrong"),
        changes=("Proxy: renew the certificate and reload (certbot renew; nginx -s reload)", "Here: check the date"),
    ),
    W.TLS_UNTRUSTED: Cause(
        exit_code=21,
        sentence="The certificate is not signed by an authority that browsers trust.",
        reasons=(
            "Signed by itself, or by an authority of your own (Herd, Valet, mkcert)",
            "The proxy sends its certificate without the intermediate one",
        ),
        changes=(
            "Proxy: serve the full chain (fullchain.pem, not cert.pem)",
            "Here: let the system trust your own authority, or set SSL_CERT_FILE",
        ),
    ),
    W.TLS_WRONG_HOST: Cause(
        exit_code=22,
        sentence="The certificate is for another name.",
        reasons=("The proxy has no server block for this name and answers with its first", "A subdomain is not in it"),
        changes=("Proxy: issue a certificate that has this host's name, and serve it for this name",),
    ),
    W.TLS_NOT_SPOKEN: Cause(
        exit_code=23,
        sentence="The other side does not speak TLS.",
        reasons=(
            "The port is that of Reverb itself, which speaks plain HTTP unless options.tls is set",
            "REVERB_SCHEME is https where the server speaks http",
        ),
        changes=(
            "Our config: reverb.url with ws:// for a plain port; browsers on https pages need wss:// through a proxy",
            "Laravel: REVERB_SCHEME and REVERB_PORT must name the proxy's TLS port (443)",
        ),
    ),
    W.TLS_OTHER: Cause(
        exit_code=24,
        sentence="The TLS handshake failed.",
        reasons=(
            "No protocol or cipher in common",
            "The proxy closed in the middle of it: it has no certificate for this name",
        ),
        changes=("Proxy: openssl s_client -connect HOST:PORT -servername HOST shows where it ends",),
    ),
    W.NOT_HTTP: Cause(
        exit_code=25,
        sentence="What answers there is not Reverb, nor a web server that leads to it.",
        reasons=("Another service on this port", "A page is served where the WebSocket should be"),
        changes=("Our config: reverb.url", "Proxy: route /app and /apps to Reverb"),
    ),
    W.TIMEOUT_RESOLVE: Cause(
        exit_code=70,
        sentence="The name server did not answer in time.",
        reasons=("The resolver of this machine or container is down or slow",),
        changes=("Here: /etc/resolv.conf, and the cluster's DNS",),
    ),
    W.TIMEOUT_CONNECT: Cause(
        exit_code=71,
        sentence="Nothing answered the attempt to connect.",
        reasons=(
            "A firewall drops it",
            "The machine is down, or so busy that its backlog is full",
            "The port is not published by the container",
        ),
        changes=("Network: allow the port", "Server: ss -ltn shows a full backlog in Recv-Q"),
    ),
    W.TIMEOUT_TLS: Cause(
        exit_code=72,
        sentence="The TLS handshake was not answered in time.",
        reasons=("TLS to a plain port that waits for HTTP", "A proxy that is out of workers"),
        changes=("Our config: ws:// for a plain port", "Proxy: its load and its worker_connections"),
    ),
    W.TIMEOUT_UPGRADE: Cause(
        exit_code=73,
        sentence="The connection stands, and the upgrade was not answered in time.",
        reasons=(
            "Reverb stands still: a synchronous listener blocks its event loop, or it was stopped (SIGSTOP, a debugger)",
            "The proxy holds the request back, or waits for a body",
        ),
        changes=(
            "Laravel: listeners of MessageReceived and friends must not wait; queue them",
            f"Proxy: {_UPGRADE_NGINX}",
        ),
    ),
}

AT_APP: dict[W, Cause] = {
    W.DNS: Cause(
        exit_code=10,
        sentence="The name of the app's host has no address here.",
        reasons=(
            "A misspelt host in Echo's authEndpoint",
            "The record exists only in another network",
            "Temporary failure in name resolution: the name server here does not answer, or failed itself",
        ),
        changes=("Our config: reverb.auth_endpoint must be Echo's authEndpoint in full",),
    ),
    W.CONNECTION_REFUSED: Cause(
        exit_code=11,
        sentence="Nobody listens where the app's auth endpoint should be; Reverb itself is there.",
        reasons=("The app is down or being deployed", "Another port, or `localhost` from inside a container"),
        changes=("Server: start the app; see the web server's and PHP-FPM's logs", "Our config: reverb.auth_endpoint"),
    ),
    W.CONNECTION_RESET: Cause(
        exit_code=12,
        sentence="The app cut the connection before it answered.",
        reasons=("PHP-FPM or Octane died in the request, or was restarted", "The web server ran out of connections"),
        changes=("Server: the logs of the web server and of PHP-FPM at this moment",),
    ),
    W.UNREACHABLE: Cause(
        exit_code=13,
        sentence="The app's address is unreachable from here.",
        reasons=("A firewall or a security group refuses it",),
        changes=("Network: allow the sidecar to reach the app's public address, as browsers do",),
    ),
    W.TIMEOUT_CONNECT: Cause(
        exit_code=71,
        sentence="Nothing answered the attempt to connect to the app.",
        reasons=("A firewall drops it", "The app's machine is down, or its backlog is full"),
        changes=("Network: allow it", "Server: more PHP-FPM children or Octane workers"),
    ),
    W.NOT_HTTP: Cause(
        exit_code=25,
        sentence="What answers at the auth endpoint is not a web server.",
        reasons=("Another port",),
        changes=("Our config: reverb.auth_endpoint",),
    ),
}
