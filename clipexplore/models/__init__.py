"""Weights: fetched, checked, loaded once for all visitors, on the device that is there."""
