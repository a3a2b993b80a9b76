// The photo with its faces: a frame and a label for each, and landmarks for the selected one.

import { element, svg } from "./dom.js";
import { emojiOf, hueOf, labelOf, summarize } from "./emotions.js";

export const CONTOURS = [
  // first landmark, last landmark, closed?; in iBUG 300-W order
  [0, 16, false],
  [17, 21, false],
  [22, 26, false],
  [27, 30, false],
  [31, 35, false],
  [36, 41, true],
  [42, 47, true],
  [48, 59, true],
  [60, 67, true],
];
const share = (part, whole) => `${(100 * part) / whole}%`;

export function drawStage(place, { picture, faces, wholePicture, name }, onSelect) {
  const { url, width, height } = picture;
  const alt = `${name}. ${summarize(faces)}`;
  const backdrop = url ? element("img", { src: url, alt, width, height }) : blankSheet(alt, width, height);
  place.replaceChildren(backdrop, ...(wholePicture ? [] : makeMarks(faces, picture, onSelect)));
}

// Frames with labels, placed in percent of a picture { width, height }.
export function makeMarks(faces, picture, onSelect = () => {}) {
  return faces.map((face, index) => makeMark(face, index, picture, () => onSelect(index)));
}

function blankSheet(alt, width, height) {
  const sheet = element(
    "div",
    { class: "blank", role: "img", "aria-label": alt },
    "Your browser cannot show this file.",
  );
  sheet.style.aspectRatio = `${width || 4} / ${height || 3}`;
  return sheet;
}

function makeMark(face, index, { width, height }, onClick) {
  const [left, top, boxWidth, boxHeight] = face.box;
  const words = element("span", { class: "words" }, labelOf(face));
  const label = element("span", { class: "label" }, element("span", { class: "emoji" }, emojiOf(face.emotion)), words);
  const mark = element(
    "button",
    { type: "button", class: "mark", tabindex: -1, "aria-hidden": "true", "data-hue": hueOf(face.emotion) },
    label,
  );
  mark.classList.toggle("uncertain", face.uncertain);
  mark.classList.toggle("at-top", top < 0.09 * height);
  mark.classList.toggle("at-right", left + boxWidth / 2 > 0.66 * width);
  mark.dataset.face = index;
  Object.assign(mark.style, {
    left: share(left, width),
    top: share(top, height),
    width: share(boxWidth, width),
    height: share(boxHeight, height),
  });
  mark.addEventListener("click", onClick);
  return mark;
}

// Marks a face as selected and draws its landmarks.
export function selectOnStage(place, { picture: { width, height }, faces }, selected) {
  for (const mark of place.querySelectorAll(".mark")) {
    mark.classList.toggle("selected", faces.length > 1 && Number(mark.dataset.face) === selected);
  }
  place.querySelector(".landmarks")?.remove();
  const face = faces[selected];
  if (!face?.landmarks.length || !width) return;
  const drawing = svg(
    "svg",
    { class: "landmarks", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true", "data-hue": hueOf(face.emotion) },
    ...drawLandmarks(face),
  );
  place.querySelector("img, .blank").after(drawing);
}

function drawLandmarks({ landmarks, box }) {
  const contours = CONTOURS.map(([first, last, closed]) =>
    svg(closed ? "polygon" : "polyline", { points: landmarks.slice(first, last + 1).join(" ") }),
  );
  const points = landmarks.map(([x, y]) => svg("circle", { cx: x, cy: y, r: box[2] / 110 }));
  return [...contours, ...points];
}
