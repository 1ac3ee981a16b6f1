"""What ranks first masks: constants printed by `benchmarks/rank_first_masks.py`.

Learned on the first half of thirty DAVIS 2016 sequences. Agreement with the other masks counts
most, then an unusual size against, then edges along the outline.
"""

from __future__ import annotations

import numpy as np

from rvsam_video.segmenters.grabcut.first_mask.ranking import Weights

CLICKED = Weights(
    mean=np.array([0.1705, 2.234, 0.3372, 0.5688, 0.7823, 0.038, 1.2512, 0.3193, 0.62]),
    spread=np.array([1.4859, 2.1757, 0.1523, 0.4832, 0.1458, 0.0795, 0.6225, 0.0661, 0.1374]),
    weight=np.array([0.1064, -0.2202, 0.0266, 0.1698, -0.0014, -0.1744, -0.1203, 0.4811, 0.126]),
    bias=-0.9086,
)
"""Without learned features."""

CLICKED_WITH_FEATURES = Weights(
    mean=np.array(
        [0.1879, 2.1984, 0.3201, 0.5593, 0.7852, 0.0356, 1.2357, 0.3145, 0.6212, 0.4384, 0.3333]
    ),
    spread=np.array(
        [1.4718, 2.1231, 0.1479, 0.4802, 0.144, 0.0769, 0.6081, 0.0672, 0.1375, 0.1532, 0.4724]
    ),
    weight=np.array(
        [0.0664, -0.2445, -0.0253, 0.165, 0.0208, -0.1453, -0.0356, 0.5114, 0.0956, 0.1133, -0.0049]
    ),
    bias=-0.9388,
)
"""With learned features as a third view."""
