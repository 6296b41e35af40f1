"""The synthetic world: believable creators, posts, collections, campaigns, and the log events that Beat would send.

Everything is a function of size, seed and the moment `as_of`; see `python -m devstack.world --help`.
"""
