"""Which rows an epoch holds, one file a method."""
