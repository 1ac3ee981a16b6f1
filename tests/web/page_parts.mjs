// The parts of the page that need no browser, with the runner of node.

import assert from "node:assert/strict";
import test from "node:test";

const { page } = process.env;
const { indexOfColour, fill, outline, tableOf } = await import(`${page}/masks.js`);
const { encode } = await import(`${page}/rle.js`);
const { Place } = await import(`${page}/place.js`);
const { actionOf, KEYS } = await import(`${page}/keys.js`);
const { kindOf, nextOf } = await import(`${page}/timeline.js`);
const { stroke } = await import(`${page}/painting.js`);
const { stateOf } = await import(`${page}/videos.js`);

test("a palette colour gives its index back", () => {
  const palette = JSON.parse(process.env.palette);
  palette.forEach(([red, green, blue], index) =>
    assert.equal(indexOfColour(red, green, blue), index));
});

test("run lengths are those of COCO", () => {
  for (const { mask, width, height, counts } of JSON.parse(process.env.codes)) {
    assert.equal(encode(mask, width, height), counts);
  }
});

test("what lies under the pointer stays there while zooming", () => {
  const place = new Place();
  place.resize({ width: 800, height: 600 }, { width: 3840, height: 2160 });
  const before = place.toPicture(650, 250, false);
  place.zoomAt(8, 650, 250);
  const after = place.toPicture(650, 250, false);
  assert.ok(Math.hypot(before[0] - after[0], before[1] - after[1]) < 1e-6);
  assert.equal(Math.round(place.zoom), 8);
  const [x, y] = place.toStage(...after);
  assert.ok(Math.hypot(x - 650, y - 250) < 1e-6);
  // The picture cannot be lost: it always covers the stage, or is fitted into it.
  place.pan(1e6, 1e6);
  assert.ok(place.left <= 1e-6 && place.top <= 1e-6);
  place.zoomAt(1e-9, 0, 0);
  assert.equal(place.zoom, 1);
  assert.deepEqual(place.toPicture(-50, 9999), [0, 2159]);
});

test("hidden objects are neither filled nor outlined", () => {
  const objects = [{ id: 1, colour: "#ff0000" }, { id: 2, colour: "#00ff00" }];
  const indices = new Uint8Array([1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2]);
  const table = tableOf(objects, (key) => key === 1);
  assert.deepEqual([...fill(indices, table)].filter(Boolean).length, 9);
  const edge = outline(indices, 3, 4, table);
  assert.equal(edge[4], 0);
  assert.equal(edge[7], 0xff0000ff);
  assert.equal(edge[10], 0);
});

test("the eraser takes the own object alone", () => {
  const indices = new Uint8Array(25).fill(2);
  stroke(indices, 5, 5, [1, 2], [3, 2], 0.6, 1, 1);
  assert.equal(indices.filter((key) => key === 1).length, 3);
  stroke(indices, 5, 5, [0, 2], [4, 2], 0.6, 0, 1);
  assert.equal(indices.filter((key) => key === 0).length, 3);
  assert.equal(indices.filter((key) => key === 2).length, 22);
});

test("frames on a timeline", () => {
  assert.deepEqual([0, 1, 30, 90].map((value) => kindOf(value, false)),
    ["unknown", "hidden", "doubtful", "sure"]);
  assert.deepEqual([0, 90].map((value) => kindOf(value, true)), ["unknown", "again"]);
  assert.equal(nextOf([3, 8, 20], 8, 1), 20);
  assert.equal(nextOf([3, 8, 20], 8, -1), 3);
  assert.equal(nextOf([3], 8, 1), null);
});

test("states of videos in words", () => {
  assert.equal(stateOf({ reach: 0, objects: 0 }), "new");
  assert.equal(stateOf({ reach: 0, objects: 2 }), "clicked");
  assert.equal(stateOf({ reach: 30, frames: 31 }), "96 %");
  assert.equal(stateOf({ reach: 30, frames: 30, ended: true }), "done");
});

test("space does what a focused button says, else it plays", () => {
  const play = () => "played";
  const actions = { plain: { " ": play }, undo: () => "undone", redo: () => "redone" };
  const event = (key, more = {}) => ({ key, target: { matches: () => false }, ...more });
  assert.equal(actionOf(event(" "), actions)(), "played");
  assert.equal(actionOf(event(" ", { target: { matches: () => true } }), actions), null);
  assert.equal(actionOf(event("z", { ctrlKey: true }), actions)(), "undone");
  assert.equal(actionOf(event("Z", { ctrlKey: true, shiftKey: true }), actions)(), "redone");
  assert.ok(KEYS.length > 25);
});
