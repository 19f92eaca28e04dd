"""Comparison of entity tags."""


def matches(if_none_match: str | None, etag: str) -> bool:
    """Compare weakly, as RFC 9110 section 13.1.2 requires for `If-None-Match`; None: the header is missing."""
    if if_none_match is None:
        return False
    candidates = [candidate.strip().removeprefix("W/") for candidate in if_none_match.split(",")]
    return etag in candidates or candidates == ["*"]
