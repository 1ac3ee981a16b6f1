// The stage: picture, masks and marks on one canvas; zoom and pan; clicks, boxes and paint.

import { frameMasks, paint } from "./painting.js";
import { sharpen, sharpPicture, shownFrame } from "./frames.js";
import { fill, outline, tableOf, toCanvas } from "./masks.js";
import { Place } from "./place.js";
import { changed, isFile, selectedObject, state, tracking, watch } from "./state.js";

const DRAG_PIXELS = 6;
const HIT_PIXELS = 10;

export const place = new Place();
const canvas = document.getElementById("view");
const pen = canvas.getContext("2d");
const pointers = new Map();
let drag = null;
let pinch = null;
let cross = null;
let made = { key: "" };
let later = 0;

export function isShown(key) {
  const { view, server, shown, selected } = state;
  if (view.hidden.has(key) || (!view.others && key !== selected)) return false;
  const stale = server.stale?.[key];
  // Held from before a correction: what no longer holds is not shown.
  return !(stale !== undefined && shown >= server.next && shown >= stale);
}

function layers() {
  const masks = frameMasks() || shownFrame()?.masks;
  if (!masks) return null;
  const { view, server } = state;
  const shown = server.objects.filter((item) => isShown(item.id)).map((item) => item.id);
  const key = `${view.outline} ${shown.join()}`;
  if (made.masks === masks && made.key === key && !masks.painted) return made;
  const table = tableOf(server.objects, isShown);
  const { indices, width, height } = masks;
  const thick = Math.max(1, Math.round(Math.min(width, height) / 480));
  made = {
    masks,
    key,
    inside: toCanvas(fill(indices, table), width, height),
    edge: view.outline ? toCanvas(outline(indices, width, height, table, thick), width, height) : null,
  };
  masks.painted = false;
  return made;
}

function draw() {
  const box = canvas.parentElement.getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(box.width * ratio));
  const height = Math.max(1, Math.round(box.height * ratio));
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const { server } = state;
  place.resize(
    { width: box.width, height: box.height },
    { width: server.width || 16, height: server.height || 9 },
  );
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, box.width, box.height);
  const frame = shownFrame();
  if (server.state === "empty" || !frame) return;
  const at = [place.left, place.top, place.picture.width * place.scale,
    place.picture.height * place.scale];
  pen.imageSmoothingEnabled = place.scale * ratio < 4;
  pen.drawImage(sharpPicture() || frame.bitmap, ...at);
  const drawn = layers();
  if (drawn) {
    pen.imageSmoothingEnabled = false;
    if (state.view.fill) {
      pen.globalAlpha = state.view.opacity;
      pen.drawImage(drawn.inside, ...at);
    }
    pen.globalAlpha = 1;
    if (drawn.edge) pen.drawImage(drawn.edge, ...at);
  }
  if (state.view.points) marks();
  if (drag?.moved && drag.kind === "box") boxBetween([drag.x0, drag.y0], [drag.x1, drag.y1], "#fff");
  if (drag?.kind === "paint" || state.tool === "brush" || state.tool === "eraser") brushRing();
  if (cross) crosshair();
  canvas.dataset.scale = place.scale;
  canvas.dataset.left = place.left;
  canvas.dataset.top = place.top;
  canvas.dataset.frame = frame.index;
  sharpenSoon(ratio);
}

function sharpenSoon(ratio) {
  clearTimeout(later);
  const frame = shownFrame();
  const short = frame.bitmap.width < Math.min(place.picture.width, place.picture.width * place.scale * ratio);
  // A moment later: not for every picture of those one steps through.
  if (short && isFile() && !tracking() && !sharpPicture()) {
    later = setTimeout(() => sharpen().catch(() => {}), 200);
  }
}

function marks() {
  for (const item of state.server.objects) {
    if (!isShown(item.id) && item.id !== state.selected) continue;
    for (const click of item.clicks) {
      if (click.frame !== state.shown) continue;
      if (click.box) {
        const [x0, y0, x1, y1] = click.box;
        boxBetween(place.toStage(x0, y0), place.toStage(x1, y1), item.colour);
      } else if (click.point) {
        const moved = drag?.kind === "move" && drag.click === click;
        const [x, y] = moved ? [drag.x1, drag.y1] : place.toStage(...click.point);
        dot(x, y, click.label, item.colour);
      }
    }
  }
}

function dot(x, y, label, colour) {
  const strokes = label === 1
    ? (radius, paintWith) => {
      pen.beginPath();
      pen.arc(x, y, radius, 0, 2 * Math.PI);
      pen.fillStyle = paintWith;
      pen.fill();
    }
    : (radius, paintWith) => {
      pen.beginPath();
      for (const slope of [1, -1]) {
        pen.moveTo(x - 6, y - 6 * slope);
        pen.lineTo(x + 6, y + 6 * slope);
      }
      pen.lineWidth = radius;
      pen.strokeStyle = paintWith;
      pen.stroke();
    };
  strokes(8, "#141414");
  strokes(6.5, "#fff");
  strokes(label === 1 ? 5 : 3, label === 1 ? colour : "#e0321f");
}

function boxBetween([x0, y0], [x1, y1], colour) {
  pen.lineWidth = 2;
  pen.strokeStyle = colour;
  pen.setLineDash([6, 4]);
  pen.strokeRect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0));
  pen.setLineDash([]);
}

let hover = null;

function brushRing() {
  if (!hover) return;
  pen.beginPath();
  pen.arc(hover[0], hover[1], state.brush * place.scale, 0, 2 * Math.PI);
  pen.lineWidth = 1.5;
  pen.strokeStyle = state.tool === "eraser" ? "#ff7a6b" : "#fff";
  pen.stroke();
}

function crosshair() {
  const [x, y] = place.toStage(...cross);
  pen.lineWidth = 1.5;
  pen.strokeStyle = "#fff";
  pen.beginPath();
  pen.moveTo(x - 14, y);
  pen.lineTo(x + 14, y);
  pen.moveTo(x, y - 14);
  pen.lineTo(x, y + 14);
  pen.stroke();
}

function clickNear(x, y) {
  let best = null;
  for (const item of state.server.objects) {
    for (const click of item.clicks) {
      if (!click.point || click.frame !== state.shown) continue;
      const [cx, cy] = place.toStage(...click.point);
      const distance = Math.hypot(cx - x, cy - y);
      if (distance < HIT_PIXELS && (!best || distance < best.distance)) best = { click, distance };
    }
  }
  return best?.click || null;
}

export function zoom(factor) {
  place.zoomAt(factor, place.stage.width / 2, place.stage.height / 2);
  changed();
}

export function fit() {
  place.fit();
  changed();
}

export function pan(x, y) {
  place.pan(x, y);
  changed();
}

// Points with the keyboard alone: a cross that arrow keys move and Enter sets.
export function moveCross(byX, byY) {
  if (!cross) cross = [place.picture.width / 2, place.picture.height / 2];
  else {
    cross[0] = Math.max(0, Math.min(place.picture.width - 1, cross[0] + byX));
    cross[1] = Math.max(0, Math.min(place.picture.height - 1, cross[1] + byY));
  }
  changed();
}

export function crossPlace() {
  return cross;
}

export function leaveCross() {
  cross = null;
  changed();
}

export function followPointer(actions) {
  const where = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const [x, y] = where(event);
    place.zoomAt(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), x, y);
    changed();
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    if (state.server.state === "empty") return;
    canvas.setPointerCapture(event.pointerId);
    const [x, y] = where(event);
    pointers.set(event.pointerId, [x, y]);
    if (pointers.size === 2) {
      // A second finger means the picture, not what the first began.
      drag = null;
      pinch = gap();
      return;
    }
    drag = begin(event, x, y);
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = where(event);
    hover = [x, y];
    if (pointers.has(event.pointerId)) pointers.set(event.pointerId, [x, y]);
    if (pinch && pointers.size === 2) {
      const now = gap();
      place.pan(now.x - pinch.x, now.y - pinch.y);
      place.zoomAt(now.size / Math.max(pinch.size, 1), now.x, now.y);
      pinch = now;
      changed();
    } else if (drag) {
      if (drag.kind === "pan") place.pan(x - drag.x1, y - drag.y1);
      if (drag.kind === "paint") paintAlong([drag.x1, drag.y1], [x, y]);
      [drag.x1, drag.y1] = [x, y];
      drag.moved = drag.moved || Math.hypot(x - drag.x0, y - drag.y0) > DRAG_PIXELS;
      changed();
    } else if (state.tool !== "point") changed();
  });
  canvas.addEventListener("pointerleave", () => { hover = null; changed(); });
  const end = async (event, whole) => {
    pointers.delete(event.pointerId);
    if (pinch) {
      if (pointers.size === 0) pinch = null;
      return;
    }
    const ended = drag;
    drag = null;
    changed();
    if (ended && whole) await finish(ended, actions);
  };
  canvas.addEventListener("pointerup", (event) => end(event, true));
  canvas.addEventListener("pointercancel", (event) => end(event, false));
}

function gap() {
  const [one, two] = [...pointers.values()];
  return {
    x: (one[0] + two[0]) / 2, y: (one[1] + two[1]) / 2,
    size: Math.hypot(one[0] - two[0], one[1] - two[1]),
  };
}

function begin(event, x, y) {
  const made_ = { x0: x, y0: y, x1: x, y1: y, moved: false, button: event.button };
  if (event.button === 1 || state.tool === "pan" || event.altKey) return { ...made_, kind: "pan" };
  if (state.tool === "brush" || state.tool === "eraser") {
    if (!selectedObject() || tracking()) return null;
    paintAlong([x, y], [x, y]);
    return { ...made_, kind: "paint" };
  }
  const click = event.button === 0 ? clickNear(x, y) : null;
  if (click) return { ...made_, kind: "move", click };
  return { ...made_, kind: event.button === 0 ? "box" : "point" };
}

function paintAlong(from, to) {
  const value = state.tool === "eraser" ? 0 : state.selected;
  paint(place.toPicture(...from, false), place.toPicture(...to, false), state.brush, value);
  changed();
}

async function finish(ended, actions) {
  const { kind, moved, x0, y0, x1, y1 } = ended;
  if (kind === "pan" || kind === "paint") return;
  if (kind === "move") {
    if (moved) await actions.move(ended.click, place.toPicture(x1, y1));
    else await actions.unclick(ended.click);
  } else if (kind === "box" && moved) {
    const [left, top] = place.toPicture(Math.min(x0, x1), Math.min(y0, y1));
    const [right, bottom] = place.toPicture(Math.max(x0, x1), Math.max(y0, y1));
    await actions.box([left, top, right, bottom]);
  } else {
    const label = ended.button === 2 || event_off() ? 0 : 1;
    await actions.point(place.toPicture(x0, y0), label);
  }
}

// With one finger or one button there is no right click: the page has a switch for it.
function event_off() {
  return state.label === 0;
}

watch(draw);
new ResizeObserver(changed).observe(canvas.parentElement);
