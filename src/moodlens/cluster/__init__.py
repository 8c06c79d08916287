"""Many pictures: the batch job, on this machine's cores or on a Ray cluster."""
