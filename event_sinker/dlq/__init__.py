"""Dead letters as a person handles them: list, show, replay, export, purge; see `commands`."""
