"""What do release managers look at? The console's pages: typed values, HTML templates and live updates over SSE."""
