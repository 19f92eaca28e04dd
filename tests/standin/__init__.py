"""The Reverb stand-in is compared with recorded traffic and used by real clients."""
