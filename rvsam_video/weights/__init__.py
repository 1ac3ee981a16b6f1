"""Published weights of networks: fetched, verified, and read without running what they contain.

In comes a name or a file; out go a verified path, its licence, and named tensors that are known to
fit a network. Nothing here imports torch before a file is read.
"""
