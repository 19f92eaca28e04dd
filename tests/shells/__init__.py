"""What the sidecar does at its edges: files, the environment, sockets."""
