// A table with one bar per emotion, always in the same order. It can be updated, and the bars then move.

import { element } from "./dom.js";
import { emojiOf, hueOf, inOrder, mostProbable, percent } from "./emotions.js";

export function makeBars(names, caption, captionClass = "hidden") {
  const rows = inOrder(names).map(makeRow);
  const heading = element("caption", {}, element("span", { class: captionClass }, caption));
  const node = element("table", { class: "bars" }, heading, element("tbody", {}, ...rows.map((row) => row.node)));

  function update(fractions) {
    const highest = mostProbable(fractions);
    for (const { name, node: row, bar, share } of rows) {
      const fraction = fractions[name] ?? 0;
      bar.style.width = `${100 * fraction}%`;
      share.textContent = percent(fraction);
      row.classList.toggle("highest", name === highest);
    }
  }
  return { node, update };
}

function makeRow(name) {
  const bar = element("span");
  const share = element("td", { class: "percent" });
  const node = element(
    "tr",
    { "data-hue": hueOf(name) },
    element("th", { scope: "row" }, element("span", { class: "emoji", "aria-hidden": "true" }, emojiOf(name)), name),
    element("td", { "aria-hidden": "true" }, element("div", { class: "bar" }, bar)),
    share,
  );
  return { name, node, bar, share };
}

// The same as a tiny drawing for lists of faces.
export function makeMiniBars(probabilities) {
  const bars = inOrder(Object.keys(probabilities)).map((name) => {
    const bar = element("span", { "data-hue": hueOf(name) });
    bar.style.height = `${Math.max(6, 100 * probabilities[name])}%`;
    return bar;
  });
  return element("span", { class: "mini-bars", "aria-hidden": "true" }, ...bars);
}
