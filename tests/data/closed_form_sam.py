"""A promptable segmenter with closed-form answers, for testing prompt plumbing.

`sam_pt_pipeline.npz` was made with this stand-in in place of a real network: what it
returns depends on every prompt (points, labels, box, previous mask, picture), it needs
no weights, and it has no chaotic behaviour, so a pipeline can be compared call by call.

    b = brightness(frame)                                   # once per frame
    low = low_res_mask(xy, labels, b, mask_input, box)      # float32, 256 x 256
    score = quality(labels, mask_input is not None, box is not None)

`xy` and `box` are in the network's input frame (longest side 1024, no half-pixel shift).
"""

import numpy as np

SIGMA = 48.0


def brightness(frame: np.ndarray) -> float:
    """Mean of a uint8 picture mapped to -0.5 .. 0.5."""
    return float(frame.astype(np.int64).sum()) / frame.size / 255.0 - 0.5


def low_res_mask(xy, labels, frame_brightness, mask_input=None, box=None) -> np.ndarray:
    """Return the 256 x 256 logits; cell (row i, column j) sits at x = 4j + 2, y = 4i + 2."""
    x, y = np.meshgrid(4.0 * np.arange(256) + 2.0, 4.0 * np.arange(256) + 2.0)
    low = np.full((256, 256), -0.30 + 0.2 * frame_brightness)
    for (px, py), label in zip(np.asarray(xy, np.float64).reshape(-1, 2), labels, strict=True):
        bump = np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * SIGMA**2))
        low = low + bump if label == 1 else low - bump
    if mask_input is not None:
        low = low + 0.25 * np.tanh(np.asarray(mask_input, np.float64).reshape(256, 256))
    if box is not None:
        x0, y0, x1, y1 = np.asarray(box, np.float64).reshape(4)
        low = low + np.where((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1), 0.15, -0.15)
    return low.astype(np.float32)


def quality(labels, has_mask: bool, has_box: bool) -> float:
    """Return the predicted IoU: more positives raise it, more negatives lower it."""
    positive = sum(int(label) == 1 for label in labels)
    negative = sum(int(label) == 0 for label in labels)
    return 0.66 + 0.04 * positive - 0.008 * negative + 0.035 * has_mask + 0.035 * has_box


def flat_clip(frames: int, height: int, width: int) -> np.ndarray:
    """Grey frames that brighten by 7 a frame; red of the left half is 30 + 5t."""
    clip = np.empty((frames, height, width, 3), np.uint8)
    for t in range(frames):
        clip[t] = 100 + 7 * t
        clip[t, :, : width // 2, 0] = 30 + 5 * t
    return clip


def ramp_clip(frames: int, height: int, width: int) -> np.ndarray:
    """Frames with a red ramp in x (moving), a green ramp in y and a blue level 90 + 6t."""
    y, x = np.mgrid[0:height, 0:width]
    clip = np.empty((frames, height, width, 3), np.uint8)
    for t in range(frames):
        clip[t, ..., 0] = (x * 200 // width + 5 * t) % 256
        clip[t, ..., 1] = (y * 180 // height + 20) % 256
        clip[t, ..., 2] = 90 + 6 * t
    return clip
