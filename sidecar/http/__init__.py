"""What do all listeners share? Declared routes, limits on requests, event streams, and errors in a common shape."""
