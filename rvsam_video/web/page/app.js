// Puts the page together: what people do becomes requests, and what the server tells is shown.

import * as api from "./api.js";
import { forgetAll, forgetMasks, goTo as seek, renewShown, showPushed } from "./frames.js";
import { fillHelp, followKeys } from "./keys.js";
import { followObjects } from "./objects.js";
import * as painting from "./painting.js";
import * as player from "./player.js";
import { collect } from "./results.js";
import * as stage from "./stage.js";
import {
  apply, changed, isFile, lastFrame, selectedObject, state, tracking, watch,
} from "./state.js";
import {
  doubtfulFrames, followTimeline, markedFrames, nextOf, note, setTimeline,
} from "./timeline.js";
import { ask, offer, showWorkedOn } from "./videos.js";

const $ = (id) => document.getElementById(id);
let offered = { max_upload: Infinity };

function problem(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

function notice(text) {
  const lines = $("notice").textContent;
  $("notice").textContent = lines.includes(text) ? lines : `${lines} ${text}.`.trim();
  $("notice").hidden = false;
}

async function doing(work) {
  try {
    const answer = await work();
    problem("");
    return answer;
  } catch (error) {
    problem(error.message);
    return null;
  }
}

async function change(path, body = {}) {
  const answer = await doing(() => api.call(path, body));
  if (answer) {
    apply(answer);
    forgetMasks();
    // Both at once: between two requests buttons would be free for a moment, and swallow a click.
    await Promise.all([refresh(), isFile() && !tracking() && doing(renewShown)]);
  }
  return answer;
}

async function refresh() {
  if (state.server.state === "empty") return;
  const answer = await doing(() => api.call("api/timeline", undefined, "GET"));
  if (answer) setTimeline(answer);
}

function goTo(frame) {
  player.stop();
  painting.drop();
  if (isFile() && !tracking()) seek(frame, problem);
}

async function withObject() {
  if (state.selected === null) await change("api/object");
  return state.selected;
}

const actions = {
  async point(point, label) {
    player.stop();
    await change("api/click", { object: await withObject(), frame: state.shown, point, label });
  },
  async box(box) {
    player.stop();
    await change("api/click", { object: await withObject(), frame: state.shown, box });
  },
  unclick: (click) => change("api/unclick", { number: click.number, frame: click.frame }),
  move: (click, point) => change("api/move", { number: click.number, point }),
  rename: (object, name) => change("api/rename", { object, name }),
  remove: (object) => change("api/remove", { object }),
  undo: () => change("api/undo"),
  redo: () => change("api/redo"),
  step: (by) => goTo(state.shown + by),
  choose(place) {
    const item = state.server.objects[place];
    if (item) state.selected = item.id;
    changed();
  },
  pan: stage.pan,
  cross: stage.moveCross,
  hasCross: () => stage.crossPlace() !== null,
  jump(frames, direction) {
    const frame = nextOf(frames, state.shown, direction);
    if (frame !== null) goTo(frame);
  },
  async takePaint() {
    if (!painting.painting()) return;
    const { frame, ...mask } = painting.painted();
    await change("api/mask", { object: state.selected, frame, ...mask });
    painting.drop();
    changed();
  },
  async right() {
    if (!selectedObject() || tracking()) return;
    const shown = painting.asShown();
    if (!shown) return;
    const { frame, ...mask } = shown;
    await change("api/mask", { object: state.selected, frame, ...mask });
    painting.drop();
    changed();
  },
  async enter() {
    if (painting.painting()) await actions.takePaint();
    else if (stage.crossPlace()) await actions.point([...stage.crossPlace()], state.label);
  },
  escape() {
    painting.drop();
    stage.leaveCross();
  },
  play: () => (player.isPlaying() ? player.stop() : player.play(problem)),
  track: () => change(tracking() ? "api/pause" : "api/track"),
  async open(what) {
    player.stop();
    const answer = await doing(() => api.call("api/open", what));
    if (answer) return opened(answer);
    // Tracked by another method: to go on means to track it again, and that is asked first.
    if (/different command|unfinished run of rvsam-video/.test($("problem").textContent)
        && await ask(`${$("problem").textContent} Track it again? Clicks stay; its masks go.`, "Track again")) {
      const again = await doing(() => api.call("api/open", { ...what, again: true }));
      if (again) return opened(again);
    }
    return null;
  },
  async discard(video) {
    const sure = await ask(`Discard ${video.name} with its clicks and results?`, "Discard");
    if (!sure) return;
    apply(await doing(() => api.call("api/discard", { key: video.key })));
    await listVideos();
  },
};

async function opened(answer) {
  forgetAll();
  apply(answer);
  await Promise.all([refresh(), listVideos()]);
}

async function listVideos() {
  const answer = await doing(() => api.call("api/videos", undefined, "GET"));
  if (answer) showWorkedOn(answer.videos, state.server.key, actions);
}

async function upload(file) {
  if (/\.(json|png)$/i.test(file.name) && isFile()) {
    const query = `name=${encodeURIComponent(file.name)}&frame=${state.shown}`;
    const answer = await doing(() => api.call(`api/load?${query}`, file));
    if (answer) apply(answer);
    return refresh();
  }
  if (file.size > offered.max_upload) {
    const limit = Math.floor(offered.max_upload / 2 ** 20);
    return problem(`${file.name} is larger than ${limit} MiB, which is the limit`);
  }
  $("progress").hidden = false;
  const answer = await doing(() => api.upload(file, (share) => { $("progress").value = share; }));
  $("progress").hidden = true;
  return answer ? opened(answer) : null;
}

function showState() {
  const { server } = state;
  const open = server.state !== "empty";
  const running = tracking();
  const file = isFile();
  const waits = api.busy();
  $("hint").hidden = open;
  document.body.classList.toggle("open", open);
  $("name").textContent = server.name || "";
  $("state").textContent = state.lost ? "connection lost" : server.live && running ? "live" : server.state === "empty" ? "no video" : server.state;
  $("state").className = `badge ${state.lost ? "lost" : server.state}`;
  $("lost").hidden = !state.lost;
  $("stage").classList.toggle("busy", waits);
  $("stage").dataset.tool = state.tool;
  $("slider").max = lastFrame();
  $("slider").value = state.shown;
  const total = server.frames ? ` / ${server.frames}` : "";
  $("position").textContent = open ? `frame ${state.shown}${server.live ? "" : total}` : "–";
  $("clock").textContent = open && Number.isFinite(state.time) ? `${state.time.toFixed(2)} s` : "";
  $("speed").textContent = running && state.fps ? `${state.fps} frames per second` : "";
  for (const name of ["slider", "back", "forward", "play"]) $(name).disabled = !file || running;
  $("play").textContent = player.isPlaying() ? "❚❚" : "▶";
  $("play").setAttribute("aria-label", player.isPlaying() ? "Hold" : "Play");
  $("add").disabled = !open || waits;
  $("undo").disabled = !server.undo || waits;
  $("redo").disabled = !server.redo || waits;
  $("track").disabled = !open || running || waits || (server.ended === true);
  $("pause").disabled = !running;
  $("stop").disabled = !open || waits;
  $("right").disabled = !file || running || waits || !selectedObject();
  $("take").hidden = !painting.painting();
  $("collect").disabled = !open || running || waits;
  $("zip").hidden = $("zip-all").hidden = !open || running;
  $("previous-mark").disabled = $("next-mark").disabled = $("next-doubt").disabled = !file || running;
  for (const button of document.querySelectorAll("[data-choose]")) {
    button.setAttribute("aria-pressed", state.tool === button.dataset.choose);
  }
  $("sign").textContent = state.label ? "+ object" : "− background";
  $("sign").setAttribute("aria-pressed", state.label === 0);
  const again = file && !running && server.held > server.next;
  $("again").hidden = !again;
  if (again) $("again").textContent = `frames ${server.next} to ${server.held - 1} are to be tracked again`;
  for (const name of ["outline", "fill", "points", "loop"]) $(name).checked = state.view[name];
  $("others").checked = !state.view.others;
  $("brush-size").value = state.brush;
}

function followButtons() {
  $("file").addEventListener("change", () => {
    if ($("file").files[0]) upload($("file").files[0]);
    $("file").value = "";
  });
  $("videos").addEventListener("change", () => $("videos").value && actions.open({ video: $("videos").value }));
  const clicks = {
    camera: () => actions.open({ camera: 0 }), add: () => change("api/object"),
    undo: actions.undo, redo: actions.redo, track: () => change("api/track"),
    pause: () => change("api/pause"), stop: () => change("api/stop"),
    collect: () => doing(collect), play: actions.play, right: actions.right, take: actions.takePaint,
    back: () => actions.step(-1), forward: () => actions.step(1),
    "previous-mark": () => actions.jump(markedFrames(), -1),
    "next-mark": () => actions.jump(markedFrames(), 1),
    "next-doubt": () => actions.jump(doubtfulFrames(), 1),
    "zoom-in": () => stage.zoom(1.5), "zoom-out": () => stage.zoom(1 / 1.5), "zoom-fit": stage.fit,
    sign: () => { state.label = 1 - state.label; changed(); },
    theme: switchTheme, help: () => $("keys").showModal(),
  };
  for (const [name, action] of Object.entries(clicks)) $(name).addEventListener("click", action);
  for (const button of document.querySelectorAll("[data-choose]")) {
    button.addEventListener("click", () => choose(button.dataset.choose));
  }
  $("slider").addEventListener("input", () => goTo(Number($("slider").value)));
  for (const name of ["outline", "fill", "points", "loop"]) {
    $(name).addEventListener("change", () => toggle(name));
  }
  $("others").addEventListener("change", () => toggle("others"));
  $("opacity").addEventListener("input", () => { state.view.opacity = $("opacity").value / 100; changed(); });
  $("rate").addEventListener("change", () => { state.view.speed = Number($("rate").value); });
  $("brush-size").addEventListener("input", () => { state.brush = Number($("brush-size").value); changed(); });
}

function choose(tool) {
  state.tool = tool;
  changed();
}

function toggle(name) {
  state.view[name] = !state.view[name];
  changed();
}

function switchTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
  document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
  localStorage.setItem("theme", document.documentElement.dataset.theme);
  changed();
}

function followDrop() {
  for (const target of [$("stage"), $("drop")]) {
    target.addEventListener("dragover", (event) => { event.preventDefault(); $("stage").classList.add("over"); });
    target.addEventListener("dragleave", () => $("stage").classList.remove("over"));
    target.addEventListener("drop", (event) => {
      event.preventDefault();
      $("stage").classList.remove("over");
      if (event.dataTransfer.files.length) upload(event.dataTransfer.files[0]);
    });
  }
}

const size = (by) => () => { state.brush = Math.max(1, Math.min(200, Math.round(state.brush * by))); changed(); };

const plain = {
  " ": actions.play, t: actions.track, Home: () => goTo(0), End: () => goTo(lastFrame()),
  ",": () => actions.jump(markedFrames(), -1), ".": () => actions.jump(markedFrames(), 1),
  d: (shift) => actions.jump(doubtfulFrames(), shift ? -1 : 1),
  n: () => !$("add").disabled && change("api/object"),
  Delete: () => state.selected !== null && actions.remove(state.selected),
  Backspace: () => state.selected !== null && actions.remove(state.selected),
  F2: () => document.querySelector("#objects .selected input")?.select(),
  p: () => choose("point"), b: () => choose("brush"), e: () => choose("eraser"), h: () => choose("pan"),
  "[": size(1 / 1.25), "]": size(1.25), Enter: actions.enter, r: actions.right,
  x: () => { state.label = 1 - state.label; changed(); },
  "+": () => stage.zoom(1.5), "=": () => stage.zoom(1.5), "-": () => stage.zoom(1 / 1.5), 0: stage.fit,
  o: () => toggle("outline"), f: () => toggle("fill"), i: () => toggle("others"),
  k: () => toggle("points"), l: () => toggle("loop"), v: switchTheme,
  s: () => !$("collect").disabled && $("collect").click(),
  "?": () => $("keys").showModal(), Escape: actions.escape,
};

function listen() {
  const handlers = {
    state(told) {
      const before = state.server.state;
      apply(told);
      if (before === "tracking" && told.state !== "tracking") {
        forgetMasks();
        refresh();
        listVideos();
      }
    },
    problem: (told) => problem(told.message),
    notice: (told) => notice(told.message),
    async frame(told) {
      if (player.isPlaying()) player.stop();
      state.scores = { ...told.scores, index: told.index };
      state.fps = told.fps;
      note(told.index, told.scores);
      if (tracking()) state.server.next = Math.max(told.tracked, told.index + 1);
      await showPushed(told);
    },
  };
  api.listen(handlers, () => { state.lost = true; changed(); }, async () => {
    state.lost = false;
    changed();
    await start();
  });
}

async function start() {
  const answer = await doing(() => api.call("api/start", {}));
  if (!answer) return null;
  offered = answer;
  $("method").textContent = offered.method;
  for (const text of offered.notices) notice(text);
  offer(offered);
  showWorkedOn(offered.worked_on, state.server.key, actions);
  return answer;
}

const theme = localStorage.getItem("theme");
if (theme) document.documentElement.dataset.theme = theme;
api.onBusy(changed);
watch(showState);
followButtons();
followDrop();
followKeys({ ...actions, plain });
fillHelp($("key-list"));
stage.followPointer(actions);
followTimeline(goTo);
followObjects(actions);
if (await start()) {
  listen();
  const told = await doing(() => api.call("api/state", undefined, "GET"));
  if (told && told.state !== "empty") await opened(told);
}
