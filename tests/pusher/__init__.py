"""The Pusher protocol, tested with recorded traffic and literal times, without a socket and a clock."""
