"""What each further object costs: processor time of a frame with one object and with three.

    python benchmarks/more_objects.py [--frames 24]

The objects are those of the rendered clip at 854x480; the cost of one is the mean over all three.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import rvsam_video as rv
from rvsam_video.demos.synthetic import SyntheticClip


def seconds_per_frame(frames: list[rv.Frame], prompts: list[rv.Prompt]) -> float:
    """Return the processor time of a frame after the first."""
    session = rv.VideoSegmenter().session(prompts)
    session.push(frames[0])
    began = time.process_time()
    for frame in frames[1:]:
        session.push(frame)
    return (time.process_time() - began) / (len(frames) - 1)


def main() -> None:
    """Print both times and their relation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=24)
    clip = SyntheticClip(frames=parser.parse_args().frames, size=(854, 480))
    truth = clip.truth(0)
    prompts = [rv.Prompt.create(object_id=key, mask=truth == key) for key in clip.object_ids]
    frames = list(clip)
    one = float(np.mean([seconds_per_frame(frames, [prompt]) for prompt in prompts]))
    three = seconds_per_frame(frames, prompts)
    further = (three - one) / 2
    print(f"one object: {1000 * one:.0f} ms; three: {1000 * three:.0f} ms")
    print(f"each further object: {1000 * further:.0f} ms, {further / one:.2f} of the first")


if __name__ == "__main__":
    main()
