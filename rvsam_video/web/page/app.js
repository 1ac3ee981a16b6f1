"use strict";

const $ = (id) => document.getElementById(id);
const DRAG_PIXELS = 6;

// What the server said last, and what only the page knows.
let state = { state: "empty", objects: [] };
let scores = {};
let selected = null;
let shown = 0;
let drag = null;
let busy = 0;

async function call(path, body, method = "POST") {
  busy += 1;
  showButtons();
  try {
    const options = { method };
    if (body instanceof Blob) options.body = body;
    else if (body !== undefined) options.body = JSON.stringify(body);
    const response = await fetch(path, options);
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error || `the server answered ${response.status}`);
    problem("");
    return answer;
  } catch (error) {
    problem(error.message);
    return null;
  } finally {
    busy -= 1;
    showButtons();
  }
}

function problem(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

function notice(text) {
  const lines = $("notice").textContent;
  $("notice").textContent = lines.includes(text) ? lines : `${lines} ${text}.`.trim();
  $("notice").hidden = false;
}

function apply(next) {
  if (!next) return;
  const before = state.objects.map((item) => item.id);
  state = next;
  const ids = state.objects.map((item) => item.id);
  // A new object is the one to be clicked next, whichever message tells of it first.
  const added = ids.filter((id) => !before.includes(id));
  if (added.length) selected = added[added.length - 1];
  if (!ids.includes(selected)) selected = ids.length ? ids[ids.length - 1] : null;
  $("name").textContent = state.name || "";
  $("state").textContent = state.live && state.state === "tracking" ? "live" : state.state;
  $("state").className = `badge ${state.state}`;
  $("slider").max = Math.max(0, (state.frames || 1) - 1);
  showObjects();
  showPosition();
  showButtons();
  drawMarks();
}

function showObjects() {
  const list = $("objects");
  list.replaceChildren(...state.objects.map((item) => {
    const row = document.createElement("li");
    row.className = item.id === selected ? "selected" : "";
    row.dataset.object = item.id;
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.background = item.colour;
    const name = document.createElement("input");
    name.value = item.name;
    name.setAttribute("aria-label", `Name of object ${item.id}`);
    name.addEventListener("change", async () =>
      apply(await call("/api/rename", { object: item.id, name: name.value })));
    const score = document.createElement("span");
    score.className = "score";
    const value = scores[item.id];
    score.textContent = value === null ? "hidden" : value === undefined ? "" : value.toFixed(2);
    // As `LOOK_BELOW`: more of the mask is wrong than right, by its own estimate.
    if (typeof value === "number" && value < 0.5) {
      score.classList.add("low");
      score.title = "This mask may be wrong: click once more, or draw a box";
    }
    const remove = document.createElement("button");
    remove.textContent = "×";
    remove.title = "Remove this object";
    remove.addEventListener("click", async (event) => {
      event.stopPropagation();
      apply(await call("/api/remove", { object: item.id }));
    });
    row.append(swatch, name, score, remove);
    row.addEventListener("click", () => { selected = item.id; showObjects(); });
    return row;
  }));
}

function showPosition() {
  const known = state.state !== "empty";
  $("hint").hidden = known;
  $("slider").value = shown;
  const total = state.frames ? ` / ${state.frames}` : "";
  $("position").textContent = known ? `frame ${shown}${state.live ? "" : total}` : "–";
  const share = state.frames ? Math.min(1, (state.next || 0) / state.frames) : 0;
  $("tracked").style.width = `${100 * share}%`;
}

function showButtons() {
  $("stage").classList.toggle("busy", busy > 0);
  const open = state.state !== "empty";
  const tracking = state.state === "tracking";
  const file = open && !state.live;
  $("slider").disabled = $("back").disabled = $("forward").disabled = !file || tracking;
  $("add").disabled = $("undo").disabled = !open || busy > 0;
  $("track").disabled = !open || tracking || busy > 0 || state.ended === true;
  $("pause").disabled = !tracking;
  $("stop").disabled = !open || busy > 0;
  $("collect").disabled = !open || tracking || busy > 0;
  $("zip").hidden = !open || tracking;
}

// Where the picture really lies in its box: `object-fit: contain` leaves bars at the sides.
function layout() {
  const picture = $("picture");
  const box = picture.getBoundingClientRect();
  const stage = $("stage").getBoundingClientRect();
  const ratio = (state.width || 16) / (state.height || 9);
  const width = Math.min(box.width, box.height * ratio);
  const height = width / ratio;
  return {
    left: box.left - stage.left + (box.width - width) / 2,
    top: box.top - stage.top + (box.height - height) / 2,
    width, height,
    scale: width / (state.width || 1),
  };
}

function drawMarks() {
  const canvas = $("marks");
  const place = layout();
  canvas.style.left = `${place.left}px`;
  canvas.style.top = `${place.top}px`;
  canvas.width = Math.max(1, Math.round(place.width));
  canvas.height = Math.max(1, Math.round(place.height));
  const pen = canvas.getContext("2d");
  pen.lineWidth = 2;
  const at = (value) => (value + 0.5) * place.scale;
  for (const item of state.objects) {
    for (const click of item.clicks.filter((one) => one.frame === shown)) {
      if (click.box) drawBox(pen, click.box.map(at), item.colour);
      else drawPoint(pen, at(click.point[0]), at(click.point[1]), click.label, item.colour);
    }
  }
  if (drag && drag.moved) drawBox(pen, [drag.x0, drag.y0, drag.x1, drag.y1], "#ffffff");
}

function drawPoint(pen, x, y, label, colour) {
  pen.beginPath();
  if (label === 1) {
    pen.arc(x, y, 6, 0, 2 * Math.PI);
    pen.fillStyle = colour;
    pen.fill();
  } else {
    pen.moveTo(x - 6, y - 6); pen.lineTo(x + 6, y + 6);
    pen.moveTo(x + 6, y - 6); pen.lineTo(x - 6, y + 6);
  }
  pen.strokeStyle = "#ffffff";
  pen.stroke();
}

function drawBox(pen, [x0, y0, x1, y1], colour) {
  pen.strokeStyle = colour;
  pen.setLineDash([6, 4]);
  pen.strokeRect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0));
  pen.setLineDash([]);
}

function pixels(x, y) {
  const scale = layout().scale;
  const limit = (value, size) => Math.max(0, Math.min(size - 1, value / scale - 0.5));
  return [limit(x, state.width), limit(y, state.height)];
}

async function clickAt(x, y, label) {
  if (selected === null) apply(await call("/api/object", {}));
  const point = pixels(x, y);
  apply(await call("/api/click", { object: selected, frame: shown, point, label }));
}

async function boxAt(x0, y0, x1, y1) {
  if (selected === null) apply(await call("/api/object", {}));
  const [left, top] = pixels(Math.min(x0, x1), Math.min(y0, y1));
  const [right, bottom] = pixels(Math.max(x0, x1), Math.max(y0, y1));
  apply(await call("/api/click", { object: selected, frame: shown, box: [left, top, right, bottom] }));
}

function followPointer() {
  const canvas = $("marks");
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("pointerdown", (event) => {
    if (state.state === "empty" || (event.button !== 0 && event.button !== 2)) return;
    canvas.setPointerCapture(event.pointerId);
    const { offsetX: x, offsetY: y } = event;
    drag = { x0: x, y0: y, x1: x, y1: y, button: event.button, moved: false };
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag || drag.button !== 0) return;
    drag.x1 = event.offsetX;
    drag.y1 = event.offsetY;
    drag.moved = Math.hypot(drag.x1 - drag.x0, drag.y1 - drag.y0) > DRAG_PIXELS;
    drawMarks();
  });
  canvas.addEventListener("pointerup", async () => {
    const done = drag;
    drag = null;
    if (!done) return;
    if (done.moved) await boxAt(done.x0, done.y0, done.x1, done.y1);
    else await clickAt(done.x0, done.y0, done.button === 2 ? 0 : 1);
  });
}

let wanted = null;
let loading = false;

async function goTo(frame) {
  shown = Math.max(0, Math.min(Number($("slider").max), frame));
  showPosition();
  wanted = shown;
  if (loading) return;
  loading = true;
  while (wanted !== null) {
    const index = wanted;
    wanted = null;
    const response = await fetch(`/api/frame/${index}`);
    if (response.ok) {
      const url = URL.createObjectURL(await response.blob());
      const old = $("picture").src;
      $("picture").src = url;
      if (old.startsWith("blob:")) URL.revokeObjectURL(old);
    } else problem((await response.json()).error);
  }
  loading = false;
  drawMarks();
}

async function upload(file) {
  const limit = upload.limit || Infinity;
  if (file.size > limit) {
    problem(`${file.name} is larger than ${Math.floor(limit / 2 ** 20)} MiB, which is the limit`);
    return;
  }
  $("progress").hidden = false;
  $("progress").removeAttribute("value");
  apply(await call(`/api/upload?name=${encodeURIComponent(file.name)}`, file));
  $("progress").hidden = true;
}

async function collect() {
  const answer = await call("/api/files", undefined, "GET");
  if (!answer) return;
  $("files").replaceChildren(...answer.files.map((file) => {
    const row = document.createElement("li");
    const link = document.createElement("a");
    link.href = `/api/file/${encodeURIComponent(file.name)}`;
    link.textContent = file.name;
    link.download = file.name;
    const size = document.createElement("span");
    size.textContent = file.size > 2 ** 20
      ? `${(file.size / 2 ** 20).toFixed(1)} MiB` : `${Math.ceil(file.size / 1024)} KiB`;
    row.append(link, size);
    return row;
  }));
}

function listen() {
  const events = new EventSource("/api/events");
  events.addEventListener("state", (event) => apply(JSON.parse(event.data)));
  events.addEventListener("problem", (event) => problem(JSON.parse(event.data).message));
  events.addEventListener("notice", (event) => notice(JSON.parse(event.data).message));
  events.addEventListener("frame", (event) => {
    const frame = JSON.parse(event.data);
    shown = frame.index;
    scores = frame.scores;
    state.next = Math.max(frame.tracked, state.state === "tracking" ? frame.index + 1 : 0);
    $("picture").src = `data:image/jpeg;base64,${frame.jpeg}`;
    $("speed").textContent = frame.fps ? `${frame.fps} frames per second` : "";
    showObjects();
    showPosition();
    drawMarks();
  });
}

function followKeys() {
  document.addEventListener("keydown", async (event) => {
    if (event.target.matches("input, select")) return;
    if (event.key === "z" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      $("undo").click();
    } else if (event.key === "ArrowLeft" && !$("back").disabled) goTo(shown - 1);
    else if (event.key === "ArrowRight" && !$("forward").disabled) goTo(shown + 1);
    else if (event.key === " ") {
      event.preventDefault();
      (state.state === "tracking" ? $("pause") : $("track")).click();
    }
  });
}

async function begin() {
  const offered = await call("/api/start", {});
  if (!offered) return;
  upload.limit = offered.max_upload;
  $("method").textContent = offered.method;
  for (const text of offered.notices) notice(text);
  $("drop").hidden = !offered.upload;
  $("camera").hidden = !offered.cameras;
  if (offered.videos.length) {
    const choices = ["choose a video of the server …", ...offered.videos];
    $("videos").replaceChildren(...choices.map((name, place) => new Option(name, place ? name : "")));
    $("videos").hidden = false;
  }
  $("choose").hidden = !offered.upload && !offered.cameras && !offered.videos.length;
  listen();
}

$("file").addEventListener("change", () => $("file").files[0] && upload($("file").files[0]));
$("videos").addEventListener("change", async () =>
  $("videos").value && apply(await call("/api/open", { video: $("videos").value })));
$("camera").addEventListener("click", async () => apply(await call("/api/open", { camera: 0 })));
$("add").addEventListener("click", async () => apply(await call("/api/object", {})));
for (const name of ["undo", "track", "pause", "stop"]) {
  $(name).addEventListener("click", async () => apply(await call(`/api/${name}`, {})));
}
$("collect").addEventListener("click", collect);
$("slider").addEventListener("input", () => goTo(Number($("slider").value)));
$("back").addEventListener("click", () => goTo(shown - 1));
$("forward").addEventListener("click", () => goTo(shown + 1));
$("picture").addEventListener("load", drawMarks);
window.addEventListener("resize", drawMarks);
for (const target of [$("stage"), $("drop")]) {
  target.addEventListener("dragover", (event) => { event.preventDefault(); $("stage").classList.add("over"); });
  target.addEventListener("dragleave", () => $("stage").classList.remove("over"));
  target.addEventListener("drop", (event) => {
    event.preventDefault();
    $("stage").classList.remove("over");
    if (event.dataTransfer.files.length) upload(event.dataTransfer.files[0]);
  });
}
followPointer();
followKeys();
begin();
