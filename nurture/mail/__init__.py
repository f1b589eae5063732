"""A message as text and as a record; pure."""
