"""Finds training rows whose label is probably wrong, and says what becomes of them; knows vectors, not models."""
