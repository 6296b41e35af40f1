"""Beat, the scraper, as far as the platform can see it: its messages, its API, the life cycle of its requests.

The messages and the publisher are also what the synthetic world speaks with.
"""
