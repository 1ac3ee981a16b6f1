// Pictures and masks of frames: fetched, decoded, and a few kept.

import * as api from "./api.js";
import { decode } from "./masks.js";
import { changed, lastFrame, state } from "./state.js";

const KEPT_PIXELS = 48e6;
const kept = new Map();
let keptPixels = 0;
let wanted = null;
let loading = false;
let current = null;
let sharp = null;

export function shownFrame() {
  return current;
}

export function sharpPicture() {
  return sharp && sharp.index === state.shown ? sharp.bitmap : null;
}

export function forgetAll() {
  kept.clear();
  keptPixels = 0;
  sharp = null;
}

// Masks change with every click and with tracking; pictures never do. Those on view stay until newer
// ones are there: they may have come before the answer to what changed them.
export function forgetMasks() {
  for (const entry of kept.values()) if (entry !== current) entry.masks = undefined;
}

export async function renewShown() {
  const entry = current;
  if (!entry) return;
  const blob = await api.masks(entry.index);
  const masks = blob ? await decode(blob) : null;
  // Another frame, or newer masks, may have been shown meanwhile.
  if (entry !== current) return;
  entry.masks = masks;
  changed();
}

function keep(entry) {
  kept.delete(entry.index);
  kept.set(entry.index, entry);
  keptPixels += entry.bitmap.width * entry.bitmap.height;
  for (const [index, old] of kept) {
    if (keptPixels < KEPT_PIXELS || kept.size < 3) break;
    kept.delete(index);
    keptPixels -= old.bitmap.width * old.bitmap.height;
  }
}

export async function load(index) {
  const known = kept.get(index);
  const entry = known || { index };
  const [got, blob] = await Promise.all([
    known ? null : api.picture(index),
    entry.masks === undefined ? api.masks(index) : null,
  ]);
  if (got) {
    entry.bitmap = await createImageBitmap(got.blob);
    entry.time = got.time;
  }
  if (entry.masks === undefined) entry.masks = blob ? await decode(blob) : null;
  if (!known) keep(entry);
  return entry;
}

export function show(entry) {
  current = entry;
  state.shown = entry.index;
  state.time = entry.time;
  changed();
}

export async function goTo(index, onProblem) {
  wanted = Math.max(0, Math.min(lastFrame(), index));
  state.shown = wanted;
  changed();
  if (loading) return;
  loading = true;
  try {
    while (wanted !== null) {
      const next = wanted;
      wanted = null;
      const entry = await load(next);
      if (wanted === null) show(entry);
    }
  } catch (error) {
    onProblem(error.message);
  } finally {
    loading = false;
  }
}

export async function showPushed(message) {
  const [picture, mask] = await Promise.all([
    createImageBitmap(await bytes(message.jpeg, "image/jpeg")),
    message.masks ? bytes(message.masks, "image/png").then(decode) : null,
  ]);
  forgetMasks();
  const entry = { index: message.index, time: message.time, bitmap: picture, masks: mask };
  keep(entry);
  show(entry);
}

async function bytes(text, type) {
  const raw = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Blob([raw], { type });
}

// The whole picture, for looking closely; the one that is sent first is small.
export async function sharpen() {
  const index = state.shown;
  if (sharp && sharp.index === index) return;
  const got = await api.picture(index, true);
  if (index !== state.shown) return;
  sharp = { index, bitmap: await createImageBitmap(got.blob) };
  changed();
}
