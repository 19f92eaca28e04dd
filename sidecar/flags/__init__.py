"""How does a decision reach browsers? A controller takes it, a lease limits it, an answer tells it."""
