"""What does every part bring? Its routes, tasks, metrics and liveness, declared where they are served."""
