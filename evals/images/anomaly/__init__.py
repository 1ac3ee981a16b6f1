"""Anomalies on MVTec-AD by SAA+: boxes of a detector, masks, and how unlike the rest they are."""
