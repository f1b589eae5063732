"""The example shop come alive: a made-up tea house, its customers and their days."""
