"""Alerts: what is new enough to be reported, and its delivery to webhooks."""
