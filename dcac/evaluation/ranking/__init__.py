"""Exact ranking without a query x gallery matrix."""
