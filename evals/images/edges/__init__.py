"""Edges on BSDS500: drawn from the masks of everything, scored against several annotators."""
