"""Debian's mail servers as peers, each started by its test with its own configuration, folder and port."""
