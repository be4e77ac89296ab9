"""The network: a plan, a backbone and a head made into one module."""
