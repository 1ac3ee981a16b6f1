// Every action has a key; the list that `?` shows is made of the same table.

export const KEYS = [
  ["Space", "play, or hold"],
  ["T", "track on, or pause"],
  ["← →", "one frame back or on; with Shift ten"],
  ["Home End", "first or last frame"],
  [", .", "mark before or after this frame"],
  ["D", "next doubtful frame; with Shift the one before"],
  ["1 … 9", "choose an object"],
  ["N", "add an object"],
  ["Delete", "remove the chosen object"],
  ["F2", "name the chosen object"],
  ["Ctrl+Z", "undo; with Shift redo"],
  ["P", "points and boxes"],
  ["B", "brush"],
  ["E", "eraser"],
  ["[ ]", "smaller or larger brush"],
  ["Enter", "take the painted mask; on the picture: set a point at the cross"],
  ["R", "this mask is right: track on from it"],
  ["X", "clicks mean background, or the object"],
  ["H", "move the picture by dragging"],
  ["+ − 0", "zoom in, out, all of it"],
  ["Alt+arrows", "move the zoomed picture"],
  ["Shift+arrows on the picture", "move a cross to click with"],
  ["O", "outlines"],
  ["F", "filled masks"],
  ["I", "hide the other objects"],
  ["K", "points on or off"],
  ["L", "loop"],
  ["S", "show files to take away"],
  ["V", "light or dark"],
  ["?", "this list"],
  ["Escape", "leave a list, a cross, a painted mask"],
];

export function followKeys(actions) {
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input:not([type=range]):not([type=checkbox]), select, textarea");
    if (typing || document.querySelector("dialog[open]")) return;
    const action = actionOf(event, actions);
    if (!action) return;
    event.preventDefault();
    action();
  });
}

export function actionOf(event, actions) {
  const { key, shiftKey: shift, altKey: alt } = event;
  const command = event.ctrlKey || event.metaKey;
  if (command) {
    if (key.toLowerCase() === "z") return shift ? actions.redo : actions.undo;
    return key.toLowerCase() === "y" ? actions.redo : null;
  }
  const onButton = event.target?.matches?.("button, a, label, [role=button], input");
  const onStage = event.target?.id === "stage";
  // Space and Enter do what the focused button says.
  if ((key === " " || key === "Enter") && onButton) return null;
  const ranged = event.target?.matches?.("input[type=range]");
  if (key.startsWith("Arrow")) {
    const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    if (ranged) return null;
    if (alt) return () => actions.pan(-60 * x, -60 * y);
    if (onStage && (shift || actions.hasCross())) return () => actions.cross(x * (shift ? 10 : 1), y * (shift ? 10 : 1));
    return x ? () => actions.step(x * (shift ? 10 : 1)) : null;
  }
  if (/^[1-9]$/.test(key)) return () => actions.choose(Number(key) - 1);
  return actions.plain[key.length === 1 ? key.toLowerCase() : key]?.bind(null, shift) || null;
}

export function fillHelp(list) {
  list.replaceChildren(...KEYS.flatMap(([keys, text]) => {
    const term = document.createElement("dt");
    const kept = document.createElement("kbd");
    kept.textContent = keys;
    term.append(kept);
    const told = document.createElement("dd");
    told.textContent = text;
    return [term, told];
  }));
}
