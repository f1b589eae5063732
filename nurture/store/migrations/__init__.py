"""Steps from each schema to the next, run by Alembic. Forward only: the way back is the backup taken before."""
