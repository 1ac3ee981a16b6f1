// What the server said last, and what only the page knows; whoever shows something watches.

export const state = {
  server: { state: "empty", objects: [] },
  shown: 0,
  time: 0,
  selected: null,
  scores: {},
  fps: null,
  tool: "point",
  label: 1,
  brush: 12,
  view: {
    opacity: 0.45, outline: true, fill: true, points: true, others: true, hidden: new Set(),
    loop: true, speed: 1,
  },
  lost: false,
};

const watchers = new Set();
let planned = false;

export function watch(watcher) {
  watchers.add(watcher);
}

// Once a frame of the screen, however much has changed.
export function changed() {
  if (planned) return;
  planned = true;
  requestAnimationFrame(() => {
    planned = false;
    for (const watcher of watchers) watcher(state);
  });
}

export function isFile() {
  return state.server.state !== "empty" && !state.server.live;
}

export function tracking() {
  return state.server.state === "tracking";
}

export function lastFrame() {
  return Math.max(0, (state.server.frames || 1) - 1);
}

export function selectedObject() {
  return state.server.objects.find((item) => item.id === state.selected) || null;
}

export function apply(next) {
  if (!next) return;
  const before = state.server.objects.map((item) => item.id);
  const other = next.key !== state.server.key;
  state.server = next;
  const ids = next.objects.map((item) => item.id);
  // A new object is the one to be clicked next, whichever message tells of it first.
  const added = ids.filter((id) => !before.includes(id));
  if (added.length) state.selected = added[added.length - 1];
  if (!ids.includes(state.selected)) state.selected = ids.length ? ids[ids.length - 1] : null;
  if (other) {
    state.view.hidden.clear();
    state.scores = {};
  }
  changed();
}
