// Brush and eraser: the masks of the frame that is shown, as they are painted.

import { encode } from "./rle.js";
import { shownFrame } from "./frames.js";
import { state } from "./state.js";

let work = null;

// The painted masks of the frame that is shown, if there are any.
export function frameMasks() {
  return work && work.frame === state.shown ? work.masks : null;
}

export function painting() {
  return frameMasks() !== null;
}

export function drop() {
  work = null;
}

function begin() {
  const { width, height } = state.server;
  const before = shownFrame()?.masks;
  const indices = before ? before.indices.slice() : new Uint8Array(width * height);
  work = { frame: state.shown, masks: { indices, width, height, painted: true } };
}

// A stroke of a round brush between two places of the picture. The eraser takes the selected
// object away and leaves others.
export function paint([x0, y0], [x1, y1], radius, value) {
  if (!frameMasks()) begin();
  const { indices, width, height } = work.masks;
  stroke(indices, width, height, [x0, y0], [x1, y1], radius, value, state.selected);
  work.masks.painted = true;
}

export function stroke(indices, width, height, [x0, y0], [x1, y1], radius, value, own) {
  const steps = Math.max(1, Math.ceil(Math.hypot(x1 - x0, y1 - y0) / Math.max(radius / 3, 0.5)));
  for (let step = 0; step <= steps; step += 1) {
    const x = x0 + ((x1 - x0) * step) / steps;
    const y = y0 + ((y1 - y0) * step) / steps;
    for (let row = Math.max(0, Math.ceil(y - radius)); row <= Math.min(height - 1, y + radius); row += 1) {
      const half = Math.sqrt(Math.max(0, radius * radius - (row - y) * (row - y)));
      const first = Math.max(0, Math.ceil(x - half));
      const last = Math.min(width - 1, Math.floor(x + half));
      for (let column = first; column <= last; column += 1) {
        const place = row * width + column;
        if (value !== 0 || indices[place] === own) indices[place] = value;
      }
    }
  }
}

// What is sent: the whole mask of the selected object.
export function painted() {
  const { indices, width, height } = work.masks;
  const mask = indices.map((key) => (key === state.selected ? 1 : 0));
  return { size: [height, width], counts: encode(mask, width, height), frame: work.frame };
}

// The mask of an object as it is shown, to say that it is right.
export function asShown() {
  const masks = frameMasks() || shownFrame()?.masks;
  if (!masks) return null;
  if (!frameMasks()) begin();
  return painted();
}
