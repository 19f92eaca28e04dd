"""How does the sidecar speak the Pusher protocol? Signatures, messages and connection state, without a socket."""
