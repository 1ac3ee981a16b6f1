"""Distillation: a small image encoder learns to give the embeddings of a large one.

In come pictures and a teacher; out come a store of the teacher's embeddings, a student trained on
it, and a checkpoint in the official layout. Every step goes on where it was stopped.
"""
