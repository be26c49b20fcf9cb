"""How training rows are varied, one file a method."""
