"""A synthetic colour picture made with integer arithmetic only.

Golden files that start from a picture use this one, so that no photograph has
to be stored. The same arguments give the same bytes on every platform.

    picture = synthetic_picture(300, 420, seed=7)   # uint8, height x width x 3, RGB
"""

import numpy as np


def synthetic_picture(height: int, width: int, seed: int, shapes: int = 9) -> np.ndarray:
    """Paint a gradient, `shapes` filled ellipses and boxes, and a little noise."""
    # The generator whose numbers NumPy promises never to change.
    random = np.random.RandomState(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    picture = np.stack(
        [
            40 + 150 * x // max(width - 1, 1),
            200 - 120 * y // max(height - 1, 1),
            90 + (7 * x + 11 * y) // 16 % 64,
        ],
        axis=-1,
    )
    for index in range(shapes):
        centre_y, centre_x = random.randint(0, height), random.randint(0, width)
        half_y = random.randint(height // 16 + 1, height // 4 + 2)
        half_x = random.randint(width // 16 + 1, width // 4 + 2)
        colour = random.randint(0, 256, 3)
        stripe = random.randint(4, 24)
        dy, dx = y - centre_y, x - centre_x
        if index % 2:
            inside = (abs(dy) <= half_y) & (abs(dx) <= half_x)
        else:
            inside = dy * dy * half_x * half_x + dx * dx * half_y * half_y <= (half_y * half_x) ** 2
        striped = ((x + 2 * y) // stripe % 2 == 0) & (index % 3 == 0)
        paint = np.where(striped[..., None], 255 - colour, colour)
        picture = np.where(inside[..., None], paint, picture)
    picture = picture + random.randint(-6, 7, (height, width, 3))
    return np.clip(picture, 0, 255).astype(np.uint8)
