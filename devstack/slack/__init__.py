"""A local webhook that speaks the protocol of Slack's incoming webhooks and keeps what it receives."""
