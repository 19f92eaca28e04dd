"""What do release managers look at? The console's pages: state in words, HTML from templates, news over one stream."""
