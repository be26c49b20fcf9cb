"""What a frozen trunk gives is computed once: where it ends, how its states are kept, and how they are served."""
