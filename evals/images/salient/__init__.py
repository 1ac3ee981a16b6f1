"""Salient objects on DUTS-TE: everything in a picture, and the mask that fits the truth best."""
