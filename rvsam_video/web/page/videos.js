// Choosing videos: those worked on with their state, those of the server, uploads, a camera.

const $ = (id) => document.getElementById(id);

export function stateOf(video) {
  if (video.ended) return "done";
  if (video.live) return "live";
  if (!video.reach) return video.objects ? "clicked" : "new";
  return video.frames ? `${Math.min(99, Math.floor((100 * video.reach) / video.frames))} %` : "begun";
}

export function showWorkedOn(videos, open, actions) {
  $("worked").hidden = !videos.length;
  $("worked-list").replaceChildren(...videos.map((video) => {
    const row = document.createElement("li");
    row.classList.toggle("selected", video.key === open);
    const choose = document.createElement("button");
    choose.className = "video";
    choose.textContent = video.name;
    choose.setAttribute("aria-current", video.key === open);
    choose.addEventListener("click", () => actions.open({ key: video.key }));
    const told = document.createElement("span");
    told.textContent = stateOf(video);
    const remove = document.createElement("button");
    remove.textContent = "×";
    remove.setAttribute("aria-label", `Discard ${video.name} with its results`);
    remove.addEventListener("click", () => actions.discard(video));
    row.append(choose, told, remove);
    return row;
  }));
}

export function offer(offered) {
  $("drop").hidden = !offered.upload;
  $("camera").hidden = !offered.cameras;
  $("videos").hidden = !offered.videos.length;
  const choices = ["choose a video of the server …", ...offered.videos];
  $("videos").replaceChildren(...choices.map((name, at) => new Option(name, at ? name : "")));
}

// Asks in the page's own dialog; resolves to whether the answer was yes.
export function ask(question, yes) {
  const dialog = $("ask");
  $("question").textContent = question;
  $("yes").textContent = yes;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
