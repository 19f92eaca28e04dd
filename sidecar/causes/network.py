"""Causes of failures of name resolution, connection and TLS: at Reverb, and at the app if they differ."""

from sidecar.causes.cause import Cause
from sidecar.core.facts.auth_probes import AuthProbeOutcome as W

_UPGRADE_NGINX = (
    "nginx, in the location of /app: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
    'proxy_set_header Connection "Upgrade"; proxy_set_header Host $http_host;'
)

NETWORK: dict[W, Cause] = {
    W.OK: Cause(
        exit_code=0,
        sentence="Every step passes: a browser of this user can subscribe to its channel.",
        reasons=(),
        changes=(),
    ),
    W.DNS: Cause(
        exit_code=10,
        sentence="The name of Reverb's host does not resolve here.",
        reasons=(
            "A misspelt host, or VITE_REVERB_HOST was empty when the frontend was built (browsers then try ws-.pusher.com)",
            "The record exists only inside or only outside your network",
            "Temporary failure in name resolution: the name server does not answer, or fails",
        ),
        changes=(
            "Sidecar config: reverb.url must be what browsers use: VITE_REVERB_SCHEME, VITE_REVERB_HOST and VITE_REVERB_PORT",
            "DNS: create the record, or run the sidecar in a network in which the browsers' host name resolves",
        ),
    ),
    W.CONNECTION_REFUSED: Cause(
        exit_code=11,
        sentence="Reverb's address refuses the connection: no process listens there.",
        reasons=(
            "Reverb is not running: after an exception in its event loop it exits with code 0 and logs nothing",
            "A port other than REVERB_SERVER_PORT, or `localhost` from inside a container",
            "With scaling on, Redis was down for REDIS_TIMEOUT (60 s), and Reverb exited",
        ),
        changes=(
            "Server: php artisan reverb:start --debug, and read its output when it exits",
            "Supervisor: autorestart=true (not `unexpected`); systemd: Restart=always; Docker: restart: always",
            "Laravel: REVERB_SERVER_HOST=0.0.0.0 if the proxy is on another machine or in another container",
        ),
    ),
    W.CONNECTION_RESET: Cause(
        exit_code=12,
        sentence="The connection was reset before a response arrived.",
        reasons=(
            "Reverb or the proxy before it was just restarted or ran out of file descriptors (1024 without ext-uv)",
            "A load balancer without a healthy target",
            "A firewall that resets connections other than plain HTTP",
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
        sentence="The certificate has expired or is not valid yet.",
        reasons=("Its renewal failed, or the proxy was not reloaded after it", "This machine's clock is wrong"),
        changes=(
            "Proxy: renew the certificate and reload (certbot renew; nginx -s reload)",
            "Here: check the machine's date",
        ),
    ),
    W.TLS_UNTRUSTED: Cause(
        exit_code=21,
        sentence="The certificate is not signed by an authority that browsers trust.",
        reasons=(
            "The certificate is self-signed, or signed by a private authority (Herd, Valet, mkcert)",
            "The proxy sends its certificate without the intermediate certificate",
        ),
        changes=(
            "Proxy: serve the full chain (fullchain.pem, not cert.pem)",
            "Here: add the private authority to the system's trust store, or set SSL_CERT_FILE",
        ),
    ),
    W.TLS_WRONG_HOST: Cause(
        exit_code=22,
        sentence="The certificate is for another host name.",
        reasons=(
            "The proxy has no server block for this name and uses its first one",
            "The certificate does not include the subdomain",
        ),
        changes=("Proxy: issue a certificate with this host name, and serve it for this name",),
    ),
    W.TLS_NOT_SPOKEN: Cause(
        exit_code=23,
        sentence="The server does not use TLS on this port.",
        reasons=(
            "It is Reverb's own port, which is plain HTTP unless options.tls is set",
            "REVERB_SCHEME is https, but the server uses http",
        ),
        changes=(
            "Sidecar config: reverb.url with ws:// for a plain port; browsers on https pages need wss:// through a proxy",
            "Laravel: REVERB_SCHEME and REVERB_PORT must name the proxy's TLS port (443)",
        ),
    ),
    W.TLS_OTHER: Cause(
        exit_code=24,
        sentence="The TLS handshake failed.",
        reasons=(
            "No protocol or cipher in common",
            "The proxy closed the connection during the handshake: it has no certificate for this name",
        ),
        changes=("Proxy: openssl s_client -connect HOST:PORT -servername HOST shows the failing step",),
    ),
    W.NOT_HTTP: Cause(
        exit_code=25,
        sentence="The server is neither Reverb nor a web server in front of it.",
        reasons=("Another service on this port", "A page is served at the WebSocket's path"),
        changes=("Sidecar config: reverb.url", "Proxy: route /app and /apps to Reverb"),
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
            "A firewall drops the packets",
            "The machine is down, or its backlog is full",
            "The port is not published by the container",
        ),
        changes=("Network: allow the port", "Server: ss -ltn shows a full backlog in Recv-Q"),
    ),
    W.TIMEOUT_TLS: Cause(
        exit_code=72,
        sentence="The TLS handshake was not answered in time.",
        reasons=("TLS to a plain HTTP port", "A proxy without free workers"),
        changes=("Sidecar config: ws:// for a plain port", "Proxy: its load and its worker_connections"),
    ),
    W.TIMEOUT_UPGRADE: Cause(
        exit_code=73,
        sentence="The connection is open, but the upgrade was not answered in time.",
        reasons=(
            "Reverb is frozen: a synchronous listener blocks its event loop, or it was stopped (SIGSTOP, a debugger)",
            "The proxy buffers the request, or waits for a body",
        ),
        changes=(
            "Laravel: listeners of MessageReceived and Reverb's other events must not block; queue them",
            f"Proxy: {_UPGRADE_NGINX}",
        ),
    ),
}

AT_APP: dict[W, Cause] = {
    W.DNS: Cause(
        exit_code=10,
        sentence="The name of the app's host does not resolve here.",
        reasons=(
            "A misspelt host in Echo's authEndpoint",
            "The record exists only in another network",
            "Temporary failure in name resolution: the name server does not answer, or fails",
        ),
        changes=("Sidecar config: reverb.auth_endpoint must be Echo's authEndpoint in full",),
    ),
    W.CONNECTION_REFUSED: Cause(
        exit_code=11,
        sentence="The auth endpoint's address refuses the connection; Reverb's accepts it.",
        reasons=("The app is down or being deployed", "A wrong port, or `localhost` from inside a container"),
        changes=(
            "Server: start the app; read the logs of the web server and of PHP-FPM",
            "Sidecar config: reverb.auth_endpoint",
        ),
    ),
    W.CONNECTION_RESET: Cause(
        exit_code=12,
        sentence="The app reset the connection before it answered.",
        reasons=(
            "PHP-FPM or Octane crashed during the request, or was restarted",
            "The web server ran out of connections",
        ),
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
        reasons=("A firewall drops the packets", "The app's machine is down, or its backlog is full"),
        changes=("Network: allow the port", "Server: more PHP-FPM children or Octane workers"),
    ),
    W.NOT_HTTP: Cause(
        exit_code=25,
        sentence="The server at the auth endpoint is not a web server.",
        reasons=("A wrong port",),
        changes=("Sidecar config: reverb.auth_endpoint",),
    ),
}
