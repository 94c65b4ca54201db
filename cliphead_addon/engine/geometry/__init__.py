"""Surfaces, seams and UVs (numpy and scipy)."""
