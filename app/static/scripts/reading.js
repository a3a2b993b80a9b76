// What was recognized: a summary, one tile per face, and the selected face in detail.

import { makeBars, makeMiniBars } from "./bars.js";
import { element } from "./dom.js";
import { countEmotions, emojiOf, hueOf, percent, signOf, summarize } from "./emotions.js";

export function drawSummary(place, faces) {
  place.hidden = faces.length < 2;
  const parts = countEmotions(faces).map(([name, count]) => {
    const emoji = element("span", { class: "emoji" }, signOf(name));
    const part = element("span", { class: "part", "data-hue": hueOf(name) }, emoji, count > 1 ? String(count) : "");
    part.style.flexGrow = count;
    return part;
  });
  place.replaceChildren(...parts);
}

// Tiles to choose a face from, for two faces and more; arrow keys move between them.
export function drawTiles(place, faces, onSelect) {
  place.hidden = faces.length < 2;
  if (place.hidden) return place.replaceChildren();
  place.replaceChildren(
    ...faces.map((face, index) =>
      element(
        "li",
        {},
        makeTile(face, index, () => onSelect(index)),
      ),
    ),
  );
}

function makeTile(face, index, onClick) {
  const words = `Face ${index + 1}: ${describe(face)}`;
  return element(
    "button",
    { type: "button", class: "tile", "aria-label": words, "data-hue": hueOf(face.emotion), onclick: onClick },
    element("img", { src: face.crop, alt: "", width: 48, height: 48 }),
    makeMiniBars(face.probabilities),
    element("span", { class: "emoji" }, emojiOf(face.emotion)),
    element(
      "span",
      { class: "tile-share" },
      `${percent(face.probabilities[face.emotion])}${face.uncertain ? "?" : ""}`,
    ),
  );
}

export function selectTile(place, selected) {
  place.querySelectorAll(".tile").forEach((tile, index) => {
    tile.setAttribute("aria-pressed", index === selected);
    tile.tabIndex = index === selected ? 0 : -1;
  });
}

export function describe({ emotion, probabilities, uncertain }) {
  return `${uncertain ? "uncertain, possibly " : ""}${emotion}, ${percent(probabilities[emotion])}`;
}

export function announcement(faces) {
  return [summarize(faces), ...faces.map((face, index) => `Face ${index + 1}: ${describe(face)}`)].join(". ");
}

export function drawDetail(place, faces, selected, wholePicture) {
  const face = faces[selected];
  const number = selected + 1;
  const title =
    faces.length > 1 ? `Face ${number} of ${faces.length}` : wholePicture ? "The whole picture" : "The face";
  const bars = makeBars(Object.keys(face.probabilities), `Probabilities for face ${number}`);
  const name = element(
    "h3",
    {},
    element("span", { class: "emoji" }, emojiOf(face.emotion)),
    ` ${face.emotion} `,
    element("span", { class: "share" }, percent(face.probabilities[face.emotion])),
  );
  const words = [element("p", { class: "kicker" }, title), name];
  if (face.uncertain)
    words.push(element("p", { class: "doubt" }, "Uncertain: below the model's confidence threshold."));
  const crop = element("img", { src: face.crop, alt: `Face ${number} as the network saw it`, width: 96, height: 96 });
  place.dataset.hue = hueOf(face.emotion);
  place.classList.toggle("uncertain", face.uncertain);
  place.replaceChildren(element("div", { class: "detail-head" }, crop, element("div", {}, ...words)), bars.node);
  bars.update(face.probabilities);
}
