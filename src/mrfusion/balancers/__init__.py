"""Balancers: how several losses become one update of the parameters."""
