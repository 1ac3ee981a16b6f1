// Index masks: from the palette PNG of the server to object ids, and from ids to what is drawn.

// Palette files show colours, not indices. This undoes the palette of DAVIS and PASCAL VOC, which
// spreads the bits of an index over the highest bits of red, green and blue.
export function indexOfColour(red, green, blue) {
  return (red >> 7) | ((green >> 7) << 1) | ((blue >> 7) << 2)
    | (((red >> 6) & 1) << 3) | (((green >> 6) & 1) << 4) | (((blue >> 6) & 1) << 5)
    | (((red >> 5) & 1) << 6) | (((green >> 5) & 1) << 7);
}

export function indicesOf(pixels) {
  const indices = new Uint8Array(pixels.length / 4);
  for (let place = 0, at = 0; place < indices.length; place += 1, at += 4) {
    if (pixels[at] | pixels[at + 1] | pixels[at + 2]) {
      indices[place] = indexOfColour(pixels[at], pixels[at + 1], pixels[at + 2]);
    }
  }
  return indices;
}

// Little-endian RGBA, as canvases keep pixels.
export function tableOf(objects, isShown) {
  const table = new Uint32Array(256);
  for (const item of objects) {
    if (!isShown(item.id)) continue;
    const value = Number.parseInt(item.colour.slice(1), 16);
    table[item.id] =
      (0xff000000 | ((value & 0xff) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
  }
  return table;
}

export function fill(indices, table) {
  const pixels = new Uint32Array(indices.length);
  for (let place = 0; place < indices.length; place += 1) pixels[place] = table[indices[place]];
  return pixels;
}

// Pixels of an object that touch something else, two pixels wide at `thick` 2.
export function outline(indices, width, height, table, thick = 1) {
  const pixels = new Uint32Array(indices.length);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const place = y * width + x;
      const key = indices[place];
      if (key === 0 || table[key] === 0) continue;
      if (
        x < thick || y < thick || x >= width - thick || y >= height - thick
        || indices[place - thick] !== key || indices[place + thick] !== key
        || indices[place - thick * width] !== key || indices[place + thick * width] !== key
      ) pixels[place] = table[key];
    }
  }
  return pixels;
}

export async function decode(blob) {
  const plain = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  const bitmap = await createImageBitmap(blob, plain);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(bitmap, 0, 0);
  const { width, height } = bitmap;
  bitmap.close();
  return { indices: indicesOf(pen.getImageData(0, 0, width, height).data), width, height };
}

export function toCanvas(pixels, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const bytes = new Uint8ClampedArray(pixels.buffer);
  canvas.getContext("2d").putImageData(new ImageData(bytes, width, height), 0, 0);
  return canvas;
}
