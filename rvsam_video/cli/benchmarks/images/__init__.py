"""Commands of image tasks below `eval` and `score`, one a file, and what they have in common."""
