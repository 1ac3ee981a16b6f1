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


def seconds(session: rv.Session, frame: rv.Frame) -> float:
    """Push a frame; return the processor time it took."""
    began = time.process_time()
    session.push(frame)
    return time.process_time() - began


def main() -> None:
    """Print both times and their relation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=24)
    clip = SyntheticClip(frames=parser.parse_args().frames, size=(854, 480))
    truth = clip.truth(0)
    prompts = [rv.Prompt.create(object_id=key, mask=truth == key) for key in clip.object_ids]
    segmenter = rv.VideoSegmenter()
    # In turns, frame by frame, so that other programs disturb all alike.
    sessions = [segmenter.session([prompt]) for prompt in prompts] + [segmenter.session(prompts)]
    times = np.array([[seconds(session, frame) for session in sessions] for frame in clip])[1:]
    one, three = float(np.median(times[:, :-1])), float(np.median(times[:, -1]))
    further = (three - one) / (len(prompts) - 1)
    print(f"one object: {1000 * one:.0f} ms; three: {1000 * three:.0f} ms")
    print(f"each further object: {1000 * further:.0f} ms, {further / one:.2f} of the first")


if __name__ == "__main__":
    main()
