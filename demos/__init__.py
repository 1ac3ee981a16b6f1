"""Demos: a rendered clip with exact truth, and a run over it that is scored."""
