"""What do all our listeners share? Limits on what comes in, and errors that say what is wrong in words."""
