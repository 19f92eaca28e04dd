"""The console in headless Chromium: what it says in each state, live, by mouse, by keyboard, and to who cannot see it."""
