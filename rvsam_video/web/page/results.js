// What there is to take away.

import { call } from "./api.js";

const $ = (id) => document.getElementById(id);

export function sizeOf(bytes) {
  if (bytes > 2 ** 20) return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return `${Math.ceil(bytes / 1024)} KiB`;
}

export async function collect() {
  const answer = await call("api/files", undefined, "GET");
  $("files").replaceChildren(...answer.files.map((file) => {
    const row = document.createElement("li");
    const link = document.createElement("a");
    link.href = `api/file/${encodeURIComponent(file.name)}`;
    link.textContent = file.name;
    link.download = file.name;
    const size = document.createElement("span");
    size.textContent = sizeOf(file.size);
    row.append(link, size);
    return row;
  }));
}
