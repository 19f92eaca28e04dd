"""What is recorded? Observations, the policy, and the closed sets that both are written in."""
