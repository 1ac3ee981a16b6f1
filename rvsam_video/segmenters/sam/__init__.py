"""The SAM family: RepViT-SAM, MobileSAM and SAM, from the official checkpoints.

In come pictures and prompts; out come mask predictions, of all objects of a picture in one batch.
Importing this loads no torch.
"""
