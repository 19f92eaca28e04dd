"""What is shipped, and from what: workflows, the composed services, the bill of materials."""
