"""Reverb Sidecar: proves that payment push over Laravel Reverb can be trusted, and moves a feature flag accordingly."""

__version__ = "0.1.0"
