// Compressed run lengths as COCO has them: column by column, runs of 0 and 1 in turn.

export function runsOf(mask, width, height) {
  const runs = [];
  let last = 0;
  let length = 0;
  for (let x = 0; x < width; x += 1) {
    for (let y = 0; y < height; y += 1) {
      const value = mask[y * width + x] ? 1 : 0;
      if (value === last) length += 1;
      else {
        runs.push(length);
        last = value;
        length = 1;
      }
    }
  }
  runs.push(length);
  return runs;
}

export function encode(mask, width, height) {
  const runs = runsOf(mask, width, height);
  let text = "";
  runs.forEach((run, place) => {
    let value = place > 2 ? run - runs[place - 2] : run;
    let more = true;
    while (more) {
      let digit = value & 0x1f;
      value >>= 5;
      more = digit & 0x10 ? value !== -1 : value !== 0;
      if (more) digit |= 0x20;
      text += String.fromCharCode(digit + 48);
    }
  });
  return text;
}
