"""How does a decision reach browsers? The controller decides, a lease limits the decision, and the API answers it."""
