"""Who we talk to, and whether we may."""
