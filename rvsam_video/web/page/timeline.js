// A row for each object: tracked, hidden, doubtful, to be tracked again; clicks as marks.

import { changed, lastFrame, state, watch } from "./state.js";

// As `LOOK_BELOW`: more of the mask is wrong than right, by its own estimate.
export const DOUBTFUL = 0.5;
const LOWEST = 2;

let known = {};

export function setTimeline(answer) {
  known = Object.fromEntries(Object.entries(answer).map(([key, text]) => [
    key, Uint8Array.from(atob(text), (character) => character.charCodeAt(0)),
  ]));
  changed();
}

export function note(index, scores) {
  for (const [key, score] of Object.entries(scores)) {
    let row = known[key] || new Uint8Array(0);
    if (index >= row.length) {
      const longer = new Uint8Array(Math.max(2 * row.length, index + 1, 64));
      longer.set(row);
      row = known[key] = longer;
    }
    row[index] = score === null ? 1 : LOWEST + Math.round(100 * Math.max(0, score));
  }
}

// unknown, again, hidden, doubtful or sure.
export function kindOf(value, again) {
  if (again) return value ? "again" : "unknown";
  if (!value) return "unknown";
  if (value === 1) return "hidden";
  return value - LOWEST < 100 * DOUBTFUL ? "doubtful" : "sure";
}

function kindAt(key, frame) {
  const { server } = state;
  return kindOf(known[key]?.[frame] || 0, frame >= server.next);
}

export function scoreAt(key, frame) {
  const value = known[key]?.[frame] || 0;
  if (!value) return "";
  return value === 1 ? "hidden" : ((value - LOWEST) / 100).toFixed(2);
}

export function markedFrames() {
  const frames = new Set();
  for (const item of state.server.objects) for (const click of item.clicks) frames.add(click.frame);
  return [...frames].sort((one, two) => one - two);
}

// Where doubtful stretches begin, of objects that are shown.
export function doubtfulFrames() {
  const frames = new Set();
  for (const item of state.server.objects) {
    let before = "";
    for (let frame = 0; frame < (known[item.id]?.length || 0); frame += 1) {
      const kind = kindAt(item.id, frame);
      if (kind === "doubtful" && before !== "doubtful") frames.add(frame);
      before = kind;
    }
  }
  return [...frames].sort((one, two) => one - two);
}

export function nextOf(frames, shown, direction) {
  const ordered = direction > 0 ? frames : [...frames].reverse();
  return ordered.find((frame) => (direction > 0 ? frame > shown : frame < shown)) ?? null;
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(["unknown", "again", "hidden", "doubtful"].map((name) =>
    [name, style.getPropertyValue(`--${name}`)]));
}

function drawRow(canvas, item, paints) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  const height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, width, height);
  const frames = lastFrame() + 1;
  const middle = height * 0.3;
  const ink = getComputedStyle(canvas).color;
  for (let x = 0; x < width; x += 1) {
    const first = Math.floor((x * frames) / width);
    const last = Math.max(first, Math.floor(((x + 1) * frames) / width) - 1);
    let kind = kindAt(item.id, first);
    // Many frames share a pixel in a long video: what needs a look must not disappear.
    for (let frame = first + 1; frame <= last; frame += 1) {
      if (kindAt(item.id, frame) === "doubtful") kind = "doubtful";
    }
    const full = kind === "sure" || kind === "doubtful";
    // Striped: an object may itself be as red as a doubt.
    const stripe = kind === "doubtful" && Math.floor(x / (3 * ratio)) % 2;
    pen.fillStyle = kind === "sure" ? item.colour : stripe ? ink : paints[kind];
    pen.fillRect(x, full ? height * 0.15 : middle, 1, full ? height * 0.7 : height * 0.4);
  }
  pen.fillStyle = ink;
  for (const click of item.clicks) {
    const x = ((click.frame + 0.5) * width) / frames;
    pen.beginPath();
    pen.moveTo(x - 4 * ratio, 0);
    pen.lineTo(x + 4 * ratio, 0);
    pen.lineTo(x, 7 * ratio);
    pen.fill();
  }
  pen.fillRect(((state.shown + 0.5) * width) / frames - ratio, 0, 2 * ratio, height);
}

export function followTimeline(goTo) {
  const list = document.getElementById("rows");
  list.addEventListener("pointerdown", (event) => {
    const canvas = event.target.closest("canvas");
    if (!canvas) return;
    const seek = (moved) => {
      const box = canvas.getBoundingClientRect();
      goTo(Math.floor(((moved.clientX - box.left) / box.width) * (lastFrame() + 1)));
    };
    seek(event);
    canvas.setPointerCapture(event.pointerId);
    canvas.onpointermove = seek;
    canvas.onpointerup = () => { canvas.onpointermove = null; };
  });
  watch(() => {
    const { objects, live } = state.server;
    list.hidden = live || !objects.length;
    while (list.children.length > objects.length) list.lastChild.remove();
    while (list.children.length < objects.length) list.append(makeRow());
    const paints = colours();
    objects.forEach((item, place) => {
      const row = list.children[place];
      row.classList.toggle("selected", item.id === state.selected);
      row.firstChild.textContent = item.name;
      row.lastChild.setAttribute("aria-label", `${item.name}: ${summary(item.id)}`);
      drawRow(row.lastChild, item, paints);
    });
  });
}

function makeRow() {
  const row = document.createElement("li");
  const name = document.createElement("span");
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  row.append(name, canvas);
  return row;
}

export function summary(key) {
  const counts = { sure: 0, hidden: 0, doubtful: 0, again: 0 };
  const row = known[key] || [];
  for (let frame = 0; frame < row.length; frame += 1) {
    const kind = kindAt(key, frame);
    if (kind in counts) counts[kind] += 1;
  }
  const words = { sure: "tracked", hidden: "hidden", doubtful: "doubtful", again: "to track again" };
  const told = Object.entries(counts).filter(([, count]) => count);
  return told.map(([kind, count]) => `${count} ${words[kind]}`).join(", ") || "not tracked";
}
