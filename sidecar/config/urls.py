"""How a URL is written that the probes dial: what could only fail when dialled is refused here, with its place."""

import re
from urllib.parse import urlsplit

import msgspec

from sidecar.config.places import is_host
from sidecar.config.problems import SHOWN_MAX, quoted
from sidecar.config.scalars import Refused, Scalar

PORT_MAX = 65_535


class UrlText(msgspec.Struct, frozen=True, kw_only=True):
    """A URL without a user, a password, a query or a fragment."""

    schemes: tuple[str, ...]
    has_path: bool = True
    """May go on behind the host; an origin may not."""
    usual: str

    @property
    def allowed(self) -> str:
        """The form, with an example."""
        what = "a URL" if self.has_path else "an origin: scheme, host and port, without a path"
        return f"{what} such as {self.usual}, beginning with {' or '.join(f'{each}://' for each in self.schemes)}"

    def read(self, scalar: Scalar) -> str:
        """Return the URL as it was written, without a slash at its end."""
        text = self._tidied(scalar.text)
        if text is None:
            raise Refused(self._meant(scalar.text))
        return text

    def write(self, value: str) -> str:
        """Return the URL in quotes."""
        return quoted(value)

    def _tidied(self, text: str) -> str | None:
        if not text.isascii() or not text.isprintable() or re.search(r"[\s@?#\\]", text):
            return None
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            return None
        is_right = parts.scheme in self.schemes and is_host(parts.hostname or "") and port != 0
        if not is_right or (parts.path.strip("/") and not self.has_path):
            return None
        return text.rstrip("/")

    def _meant(self, text: str) -> str | None:
        scheme, slashes, rest = text.strip().rpartition("://")
        rest = re.sub(r"[?#].*$", "", rest.rpartition("@")[2])
        rest = rest if self.has_path else rest.partition("/")[0]
        secure = self.schemes[0] if scheme in {"", "https", "wss"} or not slashes else self.schemes[-1]
        candidate = f"{secure}://{rest}"
        return quoted(candidate) if self._tidied(candidate) is not None and len(candidate) <= SHOWN_MAX else None
