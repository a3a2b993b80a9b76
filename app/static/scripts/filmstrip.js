// The filmstrip: a small frame for each photo of the queue, with the most frequent expression in it.

import { element, find } from "./dom.js";
import { countEmotions, hueOf, signOf, summarize } from "./emotions.js";
import { isPending } from "./queue.js";

export function drawFilmstrip(photos, current, onSelect) {
  const strip = find("#filmstrip");
  strip.parentElement.hidden = photos.length < 2;
  if (strip.parentElement.hidden) return strip.replaceChildren();
  const focused = [...strip.querySelectorAll("button")].indexOf(document.activeElement);
  strip.replaceChildren(...photos.map((photo) => element("li", {}, makeFrame(photo, photo === current, onSelect))));
  strip.querySelectorAll("button")[focused]?.focus();
  const left = photos.filter(isPending).length;
  find("#queue-text").textContent = left
    ? `${photos.length - left} of ${photos.length} done`
    : `${photos.length} photos`;
  find("#cancel-all").hidden = !left;
}

function makeFrame(photo, isCurrent, onSelect) {
  const [badge, words, hue] = badgeOf(photo);
  const frame = element(
    "button",
    { type: "button", class: "frame", "aria-label": `${photo.name}: ${words}`, "data-hue": hue, title: photo.name },
    photo.picture?.url ? element("img", { src: photo.picture.url, alt: "", decoding: "async" }) : "",
    element("span", { class: "badge", "aria-hidden": "true" }, badge),
  );
  frame.setAttribute("aria-current", isCurrent);
  frame.addEventListener("click", () => onSelect(photo));
  return frame;
}

function badgeOf({ state, faces }) {
  if (state === "waiting") return ["⏳", "waiting"];
  if (state === "sending") return ["⏳", "being sent"];
  if (state === "failed") return ["⚠️", "no result"];
  if (state === "canceled") return ["✖️", "canceled"];
  if (!faces.length) return ["🤷", "no face found"];
  const [[name]] = countEmotions(faces);
  return [signOf(name) + (faces.length > 1 ? ` ${faces.length}` : ""), summarize(faces), hueOf(name)];
}
