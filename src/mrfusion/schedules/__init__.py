"""Schedules: which parameters are trained when, on which losses."""
