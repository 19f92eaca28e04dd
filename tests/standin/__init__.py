"""The Reverb stand-in, proven against recorded traffic and real clients before anything is proven with it."""
