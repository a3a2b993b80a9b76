// Files to keep: the photo with its labels, and the figures as JSON or CSV.

import { colorOf, emojiOf, inOrder, labelOf, summarize } from "./emotions.js";
import { decode, toBlob } from "./picture.js";

export const INK = "#2b2119";
export const FONT = '"Bricolage Grotesque", "Apple Color Emoji", "Segoe UI Emoji", "Noto Color Emoji", sans-serif';

export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export const withoutExtension = (name) => name.replace(/\.[^.]+$/, "");

export function saveJson(value, name) {
  download(new Blob([JSON.stringify(value, null, 2)], { type: "application/json" }), `${name}.json`);
}

export function saveCsv(rows, name) {
  download(
    new Blob([rows.map((row) => row.map(csvField).join(",") + "\r\n").join("")], { type: "text/csv" }),
    `${name}.csv`,
  );
}

function csvField(value) {
  const isFormula = typeof value === "string" && /^[=+\-@\t\r]/.test(value); // spreadsheets would run it
  const text = isFormula ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// One row per face of the photos { name, response }, below a header.
export function faceRows(photos) {
  const names = inOrder(
    new Set(photos.flatMap(({ response }) => response.faces.flatMap((face) => Object.keys(face.probabilities)))),
  );
  const sizes = ["picture_width", "picture_height"]; // of what was sent, in whose pixels the boxes are
  const box = ["left", "top", "width", "height"];
  const header = ["photo", ...sizes, "face", ...box, "score", "emotion", "uncertain", ...names];
  const rows = photos.flatMap(({ name, response }) =>
    response.faces.map((face, index) => {
      const shares = names.map((emotion) => face.probabilities[emotion] ?? "");
      const { width, height } = response;
      return [name, width, height, index + 1, ...face.box, face.score, face.emotion, face.uncertain, ...shares];
    }),
  );
  return [header, ...rows];
}

// The photo with a frame and a label for each face, and a line that sums it up.
export async function annotate({ picture, faces, wholePicture }) {
  const image = await decode(picture.url);
  const unit = Math.max(image.width, image.height) / 50;
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = Math.round(image.height + 2.6 * unit);
  const context = canvas.getContext("2d");
  context.fillStyle = "#fffdf8";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, image.width, image.height);
  const marked = wholePicture ? [] : faces;
  for (const face of marked) drawFrame(context, face, unit);
  for (const face of marked) drawLabel(context, face, unit); // above all frames
  const emoji = new Set(faces.map((face) => emojiOf(face.emotion)));
  const counts = `${summarize(faces)}   ${[...emoji].join(" ")}`.trim();
  context.fillStyle = INK;
  context.font = `600 ${1.1 * unit}px ${FONT}`;
  context.textBaseline = "middle";
  context.fillText(counts, 0.8 * unit, image.height + 1.3 * unit, canvas.width - 1.6 * unit);
  return toBlob(canvas, "image/png");
}

function drawFrame(context, { box: [left, top, width, height], emotion, uncertain }, unit) {
  const strokes = [
    ["rgb(0 0 0 / 45%)", unit / 4],
    [colorOf(emotion), unit / 7],
  ];
  for (const [color, line] of strokes) {
    context.strokeStyle = color;
    context.lineWidth = line;
    context.setLineDash(uncertain ? [unit / 2, unit / 3] : []);
    context.beginPath();
    context.roundRect(left, top, width, height, 0.08 * width);
    context.stroke();
  }
}

function drawLabel(context, face, unit) {
  const [left, top, faceWidth] = face.box;
  const text = `${emojiOf(face.emotion)} ${labelOf(face)}`.trim();
  const size = Math.min(1.15 * unit, Math.max(0.7 * unit, 0.16 * faceWidth));
  context.font = `650 ${size}px ${FONT}`;
  context.textBaseline = "middle";
  const [width, height] = [context.measureText(text).width + size, 1.7 * size];
  const x = Math.max(0, Math.min(left, context.canvas.width - width));
  const y = Math.max(0, top - height - size / 5);
  context.fillStyle = colorOf(face.emotion);
  context.beginPath();
  context.roundRect(x, y, width, height, height / 2);
  context.fill();
  context.fillStyle = INK;
  context.fillText(text, x + size / 2, y + height / 2);
}
