"""What do the peers of the sidecar look like? A Stripe, a booking app, Reverb nodes and a proxy on loopback."""
