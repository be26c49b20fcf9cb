"""Training rows that are read from their source as they are needed and never kept (`dataset.streaming`)."""
