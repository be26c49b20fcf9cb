"""What a frozen backbone gives is computed once: where it ends, how its states are kept, and how they are served."""
