"""The Pusher protocol, by recorded traffic and by literal times: no socket, no clock."""
