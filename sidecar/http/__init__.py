"""What do all listeners share? Limits on requests, event streams, and errors in a common shape."""
