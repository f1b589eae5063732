"""The users of the django-drip benchmark: a lead with its cart in the same row, which is kindest to it."""
