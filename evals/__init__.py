"""Evaluation: metrics and benchmark runs."""
