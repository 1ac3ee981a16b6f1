// Requests to the server, and the stream of what it tells. Addresses are relative: the page may
// stand below any path.

let running = 0;
const watchers = new Set();

export function onBusy(watcher) {
  watchers.add(watcher);
}

export function busy() {
  return running > 0;
}

function count(change) {
  running += change;
  for (const watcher of watchers) watcher(running > 0);
}

// Throws an Error with the server's own sentence.
export async function call(path, body, method = "POST") {
  count(1);
  try {
    const options = { method };
    if (body instanceof Blob) options.body = body;
    else if (body !== undefined) options.body = JSON.stringify(body);
    const response = await fetch(path, options);
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error || `the server answered ${response.status}`);
    return answer;
  } catch (error) {
    if (error instanceof TypeError) throw new Error("the server cannot be reached");
    throw error;
  } finally {
    count(-1);
  }
}

export async function picture(index, full = false) {
  const response = await fetch(`api/frame/${index}${full ? "?full=1" : ""}`);
  if (!response.ok) throw new Error((await response.json()).error);
  return { blob: await response.blob(), time: Number(response.headers.get("X-Time")) };
}

export async function masks(index) {
  const response = await fetch(`api/masks/${index}`);
  if (response.status === 204) return null;
  if (!response.ok) throw new Error((await response.json()).error);
  return response.blob();
}

// Uploads tell how far they are, which `fetch` cannot.
export function upload(file, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `api/upload?name=${encodeURIComponent(file.name)}`);
    request.upload.onprogress = (event) => onProgress(event.loaded / event.total);
    request.onerror = () => reject(new Error("the server cannot be reached"));
    request.onload = () => {
      const answer = JSON.parse(request.responseText);
      if (request.status === 200) resolve(answer);
      else reject(new Error(answer.error));
    };
    request.send(file);
  });
}

export function listen(handlers, onLost, onFound) {
  const events = new EventSource("api/events");
  for (const [name, handler] of Object.entries(handlers)) {
    events.addEventListener(name, (event) => handler(JSON.parse(event.data)));
  }
  let lost = false;
  events.onerror = () => {
    lost = true;
    onLost();
    // A server that was started again answers once with an error, and the browser gives up then.
    if (events.readyState === EventSource.CLOSED) {
      setTimeout(() => listen(handlers, onLost, onFound), 1000);
      onFound.pending = true;
    }
  };
  events.onopen = () => {
    if (lost || onFound.pending) onFound();
    lost = onFound.pending = false;
  };
}
