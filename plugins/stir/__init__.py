"""How the platform's work is done: the kinds of task that the DAG modules declare."""
