// Pictures before they are sent: decoded by the browser, turned, and shrunk.

export const LONGEST_SIDE = 2048;
const QUALITY = 0.9;

// Returns { blob, url, width, height }: what is sent and shown. If the browser cannot draw the file, `url` is null and
// the file is sent as it is.
export async function preparePicture(file, { maxBytes = Infinity, degrees = 0, reencode = false } = {}) {
  const url = URL.createObjectURL(file);
  const image = await decode(url);
  if (!image) {
    URL.revokeObjectURL(url);
    return { blob: file, url: null, width: 0, height: 0 };
  }
  const { width, height } = image;
  const keep = !degrees && !reencode && Math.max(width, height) <= LONGEST_SIDE && file.size <= maxBytes;
  if (keep) return { blob: file, url, width, height };
  const canvas = draw(image, degrees);
  URL.revokeObjectURL(url);
  return fromCanvas(canvas);
}

// The picture turned clockwise by 90, 180 or 270 degrees, for display.
export async function turnPicture(picture, degrees) {
  const canvas = draw(await decode(picture.url), degrees);
  URL.revokeObjectURL(picture.url);
  return fromCanvas(canvas);
}

export async function fromCanvas(canvas, quality = QUALITY) {
  const blob = await toBlob(canvas, "image/jpeg", quality);
  return { blob, url: URL.createObjectURL(blob), width: canvas.width, height: canvas.height };
}

export function toBlob(canvas, type, quality) {
  return new Promise((resolve, reject) => {
    const done = (blob) => (blob ? resolve(blob) : reject(new Error("The browser cannot encode this picture")));
    canvas.toBlob(done, type, quality);
  });
}

export async function decode(url) {
  const image = new Image(); // applies the EXIF orientation, and draws SVG, which createImageBitmap does not
  image.src = url;
  try {
    await image.decode();
  } catch {
    return null;
  }
  const isEndless = !image.naturalWidth || !image.naturalHeight; // an SVG without a size
  image.width = isEndless ? 1024 : image.naturalWidth;
  image.height = isEndless ? 1024 : image.naturalHeight;
  return image;
}

function draw(image, degrees) {
  const angle = (degrees * Math.PI) / 180;
  const [cosine, sine] = [Math.abs(Math.cos(angle)), Math.abs(Math.sin(angle))];
  const width = image.width * cosine + image.height * sine;
  const height = image.width * sine + image.height * cosine;
  const scale = Math.min(1, LONGEST_SIDE / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(scale * width));
  canvas.height = Math.max(1, Math.round(scale * height));
  const context = canvas.getContext("2d");
  context.fillStyle = degrees % 90 ? "#888" : "#fff"; // gray corners; white behind transparency
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.translate(canvas.width / 2, canvas.height / 2);
  context.rotate(angle);
  context.scale(scale, scale);
  context.drawImage(image, -image.width / 2, -image.height / 2, image.width, image.height);
  return canvas;
}

// The faces of a response in the coordinates of the picture after it was turned clockwise by `response.turn` degrees.
export function turnFaces({ faces, width, height, turn = 0 }) {
  const place = {
    0: (x, y) => [x, y],
    90: (x, y) => [height - y, x],
    180: (x, y) => [width - x, height - y],
    270: (x, y) => [y, width - x],
  }[turn];
  return faces.map((face) => {
    const [left, top, boxWidth, boxHeight] = face.box;
    const [[x1, y1], [x2, y2]] = [place(left, top), place(left + boxWidth, top + boxHeight)];
    const box = [Math.min(x1, x2), Math.min(y1, y2), Math.abs(x2 - x1), Math.abs(y2 - y1)];
    return { ...face, box, landmarks: face.landmarks.map(([x, y]) => place(x, y)) };
  });
}
