"""What a model answers for one row, one file a kind of label: how it is scored, decided and written down."""
