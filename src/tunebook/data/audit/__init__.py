"""What the rows are like, before anything is trained on them."""
