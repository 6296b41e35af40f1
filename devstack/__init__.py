"""The whole platform on one machine, without Docker: private servers on 127.0.0.1 and the data that feeds them."""
