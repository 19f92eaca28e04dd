"""Every parser, fed with what nobody would send: it says no in its own words, or nothing goes wrong."""
