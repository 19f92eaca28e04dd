"""How do we speak with Reverb? The Pusher protocol: signatures, messages and a connection's life, without a socket."""
