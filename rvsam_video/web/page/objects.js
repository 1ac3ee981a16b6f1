// The list of objects: choose, name, hide, remove.

import { changed, state, watch } from "./state.js";
import { DOUBTFUL, scoreAt } from "./timeline.js";

const list = document.getElementById("objects");

export function followObjects(actions) {
  watch(() => {
    const { objects } = state.server;
    const rows = new Map([...list.children].map((row) => [Number(row.dataset.object), row]));
    const wanted = objects.map((item) => rows.get(item.id) || makeRow(item.id, actions));
    // Rows are kept: a name that is being typed must not lose its place.
    if (wanted.length !== list.children.length || wanted.some((row, at) => list.children[at] !== row)) {
      list.replaceChildren(...wanted);
    }
    objects.forEach((item, at) => showRow(wanted[at], item, at));
  });
}

function makeRow(key, actions) {
  const row = document.createElement("li");
  row.dataset.object = key;
  const choose = button("choose", "", () => { state.selected = key; changed(); });
  const name = document.createElement("input");
  name.setAttribute("aria-label", `Name of object ${key}`);
  name.maxLength = 40;
  name.addEventListener("focus", () => { state.selected = key; changed(); });
  name.addEventListener("change", () => actions.rename(key, name.value));
  name.addEventListener("keydown", (event) => event.key === "Enter" && name.blur());
  const score = document.createElement("span");
  score.className = "score";
  const hide = button("hide", "", () => {
    const { hidden } = state.view;
    if (!hidden.delete(key)) hidden.add(key);
    changed();
  });
  const remove = button("remove", "×", () => actions.remove(key));
  row.append(choose, name, score, hide, remove);
  row.addEventListener("click", () => { state.selected = key; changed(); });
  return row;
}

function button(name, text, action) {
  const made = document.createElement("button");
  made.className = name;
  made.textContent = text;
  made.addEventListener("click", action);
  return made;
}

function showRow(row, item, at) {
  const [choose, name, score, hide, remove] = row.children;
  const selected = item.id === state.selected;
  row.classList.toggle("selected", selected);
  choose.style.background = item.colour;
  choose.setAttribute("aria-pressed", selected);
  choose.setAttribute("aria-label", `Choose ${item.name}${at < 9 ? ` (key ${at + 1})` : ""}`);
  if (document.activeElement !== name) name.value = item.name;
  const live = state.scores[item.id];
  const told = state.server.live || state.scores.index === state.shown
    ? live === null ? "hidden" : live?.toFixed(2) ?? "" : scoreAt(item.id, state.shown);
  score.textContent = told;
  const low = Number.parseFloat(told) < DOUBTFUL;
  score.classList.toggle("low", low);
  score.title = low ? "This mask may be wrong: click once more, or draw a box" : "";
  const hidden = state.view.hidden.has(item.id);
  hide.textContent = hidden ? "○" : "●";
  hide.setAttribute("aria-label", `${hidden ? "Show" : "Hide"} ${item.name}`);
  hide.setAttribute("aria-pressed", hidden);
  remove.setAttribute("aria-label", `Remove ${item.name}`);
  remove.title = "Remove this object (Delete); undo brings it back";
}
