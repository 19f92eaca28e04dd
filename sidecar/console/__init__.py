"""What do people look at, and how do they action? The status of everything, and the operator API."""
