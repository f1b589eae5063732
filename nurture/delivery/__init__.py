"""Out of the building: SMTP and its manners."""
