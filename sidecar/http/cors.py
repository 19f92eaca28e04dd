"""What lets a script of any origin read an answer, and an error as well. Without cookies, so nobody is at risk."""

ISSUED_AT = "Reverb-Sidecar-Issued-At"
"""Unix milliseconds at which an answer was given; on 200 and 304 alike. Only a newer one renews."""

READABLE = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": f"ETag, Age, Retry-After, {ISSUED_AT}",
}
PREFLIGHT = {
    **READABLE,
    "Access-Control-Allow-Methods": "GET",
    "Access-Control-Allow-Headers": "If-None-Match",
    "Access-Control-Max-Age": "86400",
}
