"""What do people look at, and how do they act? The status of everything, and the operator API."""
