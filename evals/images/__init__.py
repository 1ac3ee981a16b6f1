"""Single pictures: the five image tasks of the RepViT-SAM paper beside those of video.

Edges (BSDS500), instances from boxes (COCO, SegInW), salient objects (DUTS), anomalies (MVTec-AD).
In come the public sets, or results of any tool; out go the numbers of their public scorers.
"""
