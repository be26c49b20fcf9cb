"""An adapter in a loaded model: where it is inserted, whether the model runs with it, how it is saved and merged."""
