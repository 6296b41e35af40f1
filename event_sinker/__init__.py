"""Drains RabbitMQ event queues into ClickHouse: acknowledged only when stored, each event once."""

__version__ = "0.1.0"
