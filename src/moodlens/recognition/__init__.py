"""From a face's crop to seven calibrated probabilities."""
