// Probabilities over time: a colored band, and the emoji of each longer stretch.

import { element, svg } from "./dom.js";
import { emojiOf, hueOf, inOrder, mostProbable } from "./emotions.js";

const HEIGHT = 100;

// Draws samples { time, probabilities or null } between two times, in seconds. A sample lasts until the next one, but
// at most `longest` seconds.
export function drawRibbon(place, samples, { start, end, longest, shortestStretch = 1 }) {
  const columns = samples.map((sample, index) => {
    const next = samples[index + 1]?.time ?? Math.min(end, sample.time + longest);
    return { ...sample, until: Math.min(next, sample.time + longest) };
  });
  const visible = columns.filter(({ time, until }) => until > start && time < end);
  const band = svg(
    "svg",
    { viewBox: `0 0 ${end - start} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    ...visible.filter(({ probabilities }) => probabilities).flatMap((column) => stack(column, start)),
  );
  const emoji = findStretches(visible)
    .filter(({ from, until }) => until - Math.max(from, start) >= shortestStretch)
    .map(({ name, from, until }) => {
      const mark = element("span", { class: "emoji", "aria-hidden": "true" }, emojiOf(name));
      mark.style.left = `${(100 * ((Math.max(from, start) + until) / 2 - start)) / (end - start)}%`;
      return mark;
    });
  place.replaceChildren(band, ...emoji);
}

function stack({ time, until, probabilities }, start) {
  const [x, width] = [Math.max(0, time - start), until - Math.max(time, start)];
  let y = HEIGHT;
  return inOrder(Object.keys(probabilities)).map((name) => {
    const height = HEIGHT * probabilities[name];
    y -= height;
    return svg("rect", { x, y, width: width * 1.02, height, "data-hue": hueOf(name) }); // without gaps between columns
  });
}

// Runs of samples in which the same emotion is the most probable: [{ name, from, until }].
export function findStretches(columns) {
  const stretches = [];
  for (const { time, until, probabilities } of columns) {
    const name = probabilities && mostProbable(probabilities);
    const last = stretches.at(-1);
    if (last && last.name === name) last.until = until;
    else stretches.push({ name, from: time, until });
  }
  return stretches.filter(({ name }) => name);
}
