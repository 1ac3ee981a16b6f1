// Where the picture lies on the stage: fitted at first, then zoomed and moved.

const MOST = 40;

export class Place {
  constructor() {
    this.zoom = 1;
    this.x = 0;
    this.y = 0;
    this.stage = { width: 1, height: 1 };
    this.picture = { width: 16, height: 9 };
  }

  get scale() {
    const { stage, picture } = this;
    return this.zoom * Math.min(stage.width / picture.width, stage.height / picture.height);
  }

  get left() {
    return (this.stage.width - this.picture.width * this.scale) / 2 + this.x;
  }

  get top() {
    return (this.stage.height - this.picture.height * this.scale) / 2 + this.y;
  }

  fit() {
    this.zoom = 1;
    this.x = this.y = 0;
  }

  resize(stage, picture) {
    const other = picture.width !== this.picture.width || picture.height !== this.picture.height;
    this.stage = stage;
    this.picture = picture;
    if (other) this.fit();
    this.#keepInside();
  }

  // What lies under the given place of the stage stays there.
  zoomAt(factor, stageX, stageY) {
    const before = this.toPicture(stageX, stageY, false);
    this.zoom = Math.min(MOST, Math.max(1, this.zoom * factor));
    const after = this.toStage(before[0], before[1]);
    this.x += stageX - after[0];
    this.y += stageY - after[1];
    this.#keepInside();
  }

  pan(byX, byY) {
    this.x += byX;
    this.y += byY;
    this.#keepInside();
  }

  #keepInside() {
    const spareX = Math.max(0, (this.picture.width * this.scale - this.stage.width) / 2);
    const spareY = Math.max(0, (this.picture.height * this.scale - this.stage.height) / 2);
    this.x = Math.min(spareX, Math.max(-spareX, this.x));
    this.y = Math.min(spareY, Math.max(-spareY, this.y));
  }

  // Pixels count from the centre of the first one, so that corners of the picture are at -0.5.
  toPicture(stageX, stageY, inside = true) {
    const x = (stageX - this.left) / this.scale - 0.5;
    const y = (stageY - this.top) / this.scale - 0.5;
    if (!inside) return [x, y];
    const limit = (value, size) => Math.max(0, Math.min(size - 1, value));
    return [limit(x, this.picture.width), limit(y, this.picture.height)];
  }

  toStage(x, y) {
    return [(x + 0.5) * this.scale + this.left, (y + 0.5) * this.scale + this.top];
  }
}
