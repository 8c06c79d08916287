"""Steps from one shape of the database to the next, run by Alembic when it is opened."""
