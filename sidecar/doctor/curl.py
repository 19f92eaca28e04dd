"""Parse a browser's "Copy as cURL" of a channel authorisation, and find its faults.

The command is parsed and never run. Credentials are shown as `***`.
"""

import base64
import re
import shlex
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from sidecar.ports import ErrorCode, SidecarError
from sidecar.probes.ack_facts import user_of
from sidecar.probes.redaction import shown_headers, shown_url, tidy
from sidecar.probes.target import origin_of

BYTES_MAX = 64 * 1024
_WITH_VALUE = {
    "-X": "method", "--request": "method", "-H": "header", "--header": "header", "-b": "cookie", "--cookie": "cookie",
    "-d": "data", "--data": "data", "--data-raw": "data", "--data-binary": "data", "--data-ascii": "data",
    "--data-urlencode": "data", "-A": "user-agent", "--user-agent": "user-agent", "-e": "referer",
    "--referer": "referer", "--url": "url", "-u": "user", "--user": "user",
    "-o": "", "--output": "", "-w": "", "--write-out": "", "-x": "", "--proxy": "", "-m": "", "--max-time": "",
    "--connect-timeout": "", "--resolve": "", "--cacert": "",
}  # fmt: skip
"""Options that take a value, and its kind; empty: ignored."""
_QUOTED = re.compile(r"""\$'((?:[^'\\]|\\.)*)'|'[^']*'|"(?:[^"\\]|\\.)*"|\\.""", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_UNESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
"""Escapes that browsers write in $'…'. They escape special characters of the shell, such as `!`, by their code."""
_BETWEEN_COMMANDS = frozenset({";", "&", "&&", "|"})
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_METHOD = re.compile(r"[A-Z]{0,20}")
_EMPTY = {"", "undefined", "null", "[object object]", "nan"}
_SOCKET = re.compile(r"\d+\.\d+")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP request of a browser."""

    method: str
    url: str
    headers: dict[str, str]
    """By name in lower case."""
    body: str

    @property
    def fields(self) -> dict[str, str]:
        """The requested parameters, from the body or the query."""
        if "json" in self.headers.get("content-type", ""):
            try:
                content = msgspec.json.decode(self.body)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                return {}
            return {key: str(value) for key, value in content.items()} if isinstance(content, dict) else {}
        return dict(parse_qsl(self.body or urlsplit(self.url).query, keep_blank_values=True))


def read_curl(text: str) -> Request:
    """Return the request in a command line, of bash or of Windows' cmd.

    Raises `SidecarError` with `body_invalid` for anything else.
    """
    plain = text.replace("\r\n", "\n").lstrip("\ufeff$ \t\n")
    if '^"' in plain:  # cmd.exe: ^ before its special characters
        plain = re.sub(r"\^\n", " ", plain).replace('^\\^"', '\\"')
        plain = re.sub(r"\^(.)", r"\1", plain)
    plain = _QUOTED.sub(_plainly_quoted, plain.replace("\\\n", " "))
    try:
        words = shlex.split(plain)
    except ValueError as error:
        raise _refused(f"it is not a command line ({error})") from error
    if not words or words[0].removesuffix(".exe") != "curl":
        raise _refused("it does not begin with curl")
    if _BETWEEN_COMMANDS.intersection(words):
        raise _refused("it is more than one command; copy only the request that fails")
    return _request(words[1:])


def _plainly_quoted(found: re.Match[str]) -> str:
    """Return bash's $'…' as quotes that `shlex` supports; other quotes unchanged."""
    if found[1] is None:
        return found[0]
    units = _ESCAPE.sub(_unescaped, found[1])  # JavaScript's: a character outside the basic plane is two of them
    return shlex.quote(units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))


def _unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)) if escape[1] else _UNESCAPED.get(escape[0][1], escape[0][1])


def findings(request: Request, *, auth_endpoint: str | None, channel: str | None) -> list[str]:
    """Return the faults of a request that should authorise a channel, the worst first."""
    found = [
        *_credential_faults(request),
        *_field_faults(request, channel),
        *_address_faults(request, auth_endpoint),
    ]
    if request.method not in {"POST", "GET"}:
        found.append(f"The method is {request.method}; pusher-js sends POST.")
    accepts_anything = "x-requested-with" not in request.headers and "json" not in request.headers.get("accept", "")
    if accepts_anything and _is_guest(request):
        found.append(
            "It accepts any type (`*/*`), as pusher-js does: if no user is logged in, `auth` middleware answers with a "
            "redirect to the login page, or with 500 if there is none, and not with 401."
        )
    return found


def masked(request: Request) -> list[str]:
    """Return the request for display, without credentials."""
    fields = {name: value for name, value in request.fields.items() if name in {"socket_id", "channel_name"}}
    return [
        f"{request.method} {shown_url(request.url)}",
        *shown_headers(request.headers),
        *(f"{name}={tidy(value)}" for name, value in fields.items()),
    ]


def _is_guest(request: Request) -> bool:
    """Return whether the request has no credentials, or only empty ones."""
    token = request.headers.get("authorization")
    if token is not None:
        return token.partition(" ")[2].strip().lower() in _EMPTY
    return "cookie" not in request.headers


def _credential_faults(request: Request) -> list[str]:
    token, cookie = request.headers.get("authorization"), request.headers.get("cookie")
    is_cross = origin_of(request.headers.get("origin")) not in {None, origin_of(request.url)}
    if token is not None and _is_guest(request):
        return [
            "The Authorization header has no token in it: Echo was created before there was one. The app sees a guest."
        ]
    if token is None and cookie is None:
        why = " Browsers send cookies to another origin only with withCredentials, which pusher-js never sets."
        return [f"It has no credentials: no Authorization, no Cookie. The app sees a guest.{why if is_cross else ''}"]
    found = []
    is_bearer = token is not None and token.lower().startswith("bearer ")
    if is_bearer and urlsplit(request.url).path.rstrip("/") == "/broadcasting/auth":
        found.append(
            "A bearer token goes to /broadcasting/auth, whose default guard is the session's (`web`) and ignores the "
            "token. The route that accepts it is often /api/broadcasting/auth."
        )
    if cookie is not None and "x-xsrf-token" not in request.headers and "x-csrf-token" not in request.headers:
        found.append(
            "There is no CSRF token: harmless on Laravel's own route, and 419 on a custom route or under statefulApi()."
        )
    if cookie is not None and "session" not in cookie.lower():
        found.append("None of its cookies looks like a session: the user may not be logged in on this host.")
    return found


def _field_faults(request: Request, channel: str | None) -> list[str]:
    fields = request.fields
    socket_id, name = fields.get("socket_id", ""), fields.get("channel_name", "")
    found = []
    if not _SOCKET.fullmatch(socket_id):
        problem = "missing" if socket_id.lower() in _EMPTY else "not two numbers with a dot"
        found.append(
            f"socket_id is {problem}. Laravel answers 500 to that. Send the request only once Echo is connected."
        )
    if not name:
        return [*found, "channel_name is missing. Laravel answers 403 to that."]
    bare = name.removeprefix("private-").removeprefix("presence-")
    if not name.startswith(("private-", "presence-")):
        found.append(f"channel_name {name!r} has no private- prefix: a custom authorizer dropped it.")
    elif bare.startswith(("private-", "presence-")):
        found.append(f"channel_name {name!r} has its prefix twice: write Echo.private('{bare.partition('-')[2]}').")
    if any(part.strip().lower() in _EMPTY for part in re.split(r"[.-]", bare)):
        found.append(f"channel_name {name!r} has no user id: Echo subscribed before the page had it.")
    elif channel is not None and user_of(channel, name) is None:
        found.append(f"channel_name {name!r} does not match {channel!r} of the configuration.")
    return found


def _address_faults(request: Request, auth_endpoint: str | None) -> list[str]:
    path = urlsplit(request.url).path
    found = []
    if path.endswith("/pusher/auth"):
        found.append(
            "It goes to /pusher/auth, pusher-js's own default: Echo was given channelAuthorization without an endpoint, and "
            "then ignores authEndpoint, the CSRF token and bearerToken."
        )
    elif auth_endpoint is not None and origin_of(request.url) != origin_of(auth_endpoint):
        found.append(f"Its host is not that of {auth_endpoint} in the configuration.")
    elif auth_endpoint is not None and path.rstrip("/") != urlsplit(auth_endpoint).path.rstrip("/"):
        found.append(f"Its path is not that of {auth_endpoint} in the configuration.")
    return found


def _request(words: list[str]) -> Request:
    url, method = "", ""
    body: list[str] = []
    headers: dict[str, str] = {}
    for kind, value in _options(words):
        match kind:
            case "method":
                method = value.upper()
            case "url":
                url = url if origin_of(url) else value
            case "data":
                body.append(value)
            case "header":
                headers |= _header(value)
            case "user":
                headers["authorization"] = _basic(value)
            case other:
                headers[other] = value
    if origin_of(url) is None:
        raise _refused("it has no URL that begins with http:// or https://")
    if not _METHOD.fullmatch(method) or not all(value.isprintable() for value in (url, *headers.values())):
        raise _refused("its method, its URL or a header has invalid characters")
    user, at, _ = urlsplit(url).netloc.rpartition("@")
    if at:
        headers.setdefault("authorization", _basic(unquote(user)))
        url = url.replace(f"{user}@", "", 1)
    return Request(method=method or ("POST" if body else "GET"), url=url, headers=headers, body="&".join(body))


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the options of a command line as (kind, value), without ignored ones."""
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            yield "url", word
            continue
        name, given, value = word.partition("=") if word.startswith("--") else (word[:2], word[2:], word[2:])
        if name in _WITH_VALUE:
            value = value if given else next(rest, "")
            if _WITH_VALUE[name]:
                yield _WITH_VALUE[name], value


def _header(text: str) -> dict[str, str]:
    """Return a header; none without a valid name, because the text may be a token, and names are shown."""
    name, colon, value = text.partition(":")
    return {name.strip().lower(): value.strip()} if colon and _NAME.fullmatch(name.strip()) else {}


def _basic(user: str) -> str:
    return f"Basic {base64.b64encode(user.encode()).decode()}"


def _refused(why: str) -> SidecarError:
    return SidecarError(
        ErrorCode.BODY_INVALID,
        f"the file is not a request copied from a browser: {why}. In the browser's network panel, right-click the "
        "failing request, choose Copy, Copy as cURL (bash), and paste it into a file",
    )
