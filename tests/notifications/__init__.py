"""Notifications: selection, texts, requests and delivery, also to failing targets."""
