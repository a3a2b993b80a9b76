// What the page says about the model: its classes, its accuracy, and what it does not know.

import { makeBars } from "./bars.js";
import { element, find } from "./dom.js";
import { allEmotions, emojiOf, hueOf, percent } from "./emotions.js";

export function describeModel({ title, metrics, classes, dataset = "FER2013", preprocessing }) {
  const names = new Intl.ListFormat("en-US").format(classes);
  find("#model-what").textContent =
    `This is ${title}, trained on ${dataset} to distinguish ${classes.length} expressions: ${names}.`;
  find("#model-size").textContent = `${preprocessing.size} by ${preprocessing.size}`;
  const range = `${(100 * metrics.accuracy_low).toFixed(1)}–${(100 * metrics.accuracy_high).toFixed(1)}%`;
  find("#model-accuracy").replaceChildren(
    element("strong", {}, `About ${Math.round(100 * (1 - metrics.accuracy))} of 100 predictions are wrong.`),
    ` On the ${metrics.n.toLocaleString("en-US")} test images of ${dataset}, which were not used for training, ` +
      `${percent(metrics.accuracy)} of its predictions match the human labels (95% confidence interval: ${range}). ` +
      "Accuracy on your own photos may be lower.",
  );
  find("#promise").textContent =
    `It is right about ${Math.round(100 * metrics.accuracy)} times in 100, so enjoy it and judge nobody by it.`;
  drawChorus(classes);
  if (metrics.recall) drawRecall(metrics.recall);
}

// All emotions as a legend of the colors; those that the model does not know are crossed out.
function drawChorus(classes) {
  const unknown = allEmotions().filter((name) => !classes.includes(name));
  const names = [...classes, ...unknown].map((name) => {
    const isKnown = classes.includes(name);
    const text = element(
      "span",
      {},
      name,
      isKnown ? "" : element("span", { class: "hidden" }, " (not known to this model)"),
    );
    const mark = element("span", { class: "emoji", "aria-hidden": "true" }, emojiOf(name));
    return element("li", { class: isKnown ? "" : "unknown", "data-hue": hueOf(name) }, mark, text);
  });
  find("#chorus").replaceChildren(...names);
  if (!unknown.length) return;
  const list = new Intl.ListFormat("en-US").format(unknown);
  const verb = unknown.length === 1 ? "is" : "are";
  find("#model-unknown").textContent =
    `${list[0].toUpperCase()}${list.slice(1)} ${verb} not known to this model: such a face gets the name of another expression.`;
}

function drawRecall(recall) {
  const known = Object.entries(recall).filter(([, share]) => share !== null); // null: no test face of this class
  const bars = makeBars(known.map(([name]) => name), "Faces recognized correctly, by label", "");
  find("#model-recall").replaceChildren(bars.node);
  bars.update(Object.fromEntries(known));
}
