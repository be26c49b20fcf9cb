"""The cache of a frozen backbone: where it ends, how its hidden states are computed, stored and put back."""
