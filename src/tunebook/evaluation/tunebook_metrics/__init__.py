"""Every metric that ships, as a table and as one `evaluate` module; loads by its path without Tunebook."""
