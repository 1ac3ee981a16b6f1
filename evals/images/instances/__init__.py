"""Instances from the boxes of a detector: COCO and SegInW, scored by pycocotools."""
