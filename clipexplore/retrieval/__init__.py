"""Exact search in matrices of every size, for many visitors at once."""
