// Plays frames with their masks at the video's own rate.

import { load, show } from "./frames.js";
import { changed, isFile, lastFrame, state, tracking } from "./state.js";

let playing = false;

export function isPlaying() {
  return playing;
}

export function stop() {
  playing = false;
  changed();
}

export async function play(onProblem) {
  if (!isFile() || tracking()) return;
  playing = true;
  changed();
  try {
    let next = state.shown >= lastFrame() ? 0 : state.shown + 1;
    let ahead = load(next);
    let due = performance.now();
    let before = state.time;
    while (playing) {
      const entry = await ahead;
      // Times of the video itself: frames may be of different length.
      const seconds = Math.min(1, Math.max(0.001, entry.time > before ? entry.time - before : 0.04));
      due = Math.max(due + (1000 * seconds) / state.view.speed, performance.now() - 200);
      const wait = due - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      if (!playing) break;
      show(entry);
      before = entry.time;
      if (next >= lastFrame()) {
        if (!state.view.loop) break;
        next = 0;
        before = -1;
      } else next += 1;
      ahead = load(next);
    }
  } catch (error) {
    onProblem(error.message);
  }
  stop();
}
