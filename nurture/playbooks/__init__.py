"""Projects to begin with; each folder is one, as `nurture init` writes it."""
