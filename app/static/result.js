// Shows results: the photo with its faces marked, a card for each face, and the description of the model.

const SVG = "http://www.w3.org/2000/svg";
const CONTOURS = [
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

const result = document.querySelector("#result");
const title = document.querySelector("#result-title");
const figure = document.querySelector("#photo");
const faceList = document.querySelector("#faces");
const problem = document.querySelector("#problem");
const status = document.querySelector("#status");

function element(name, attributes = {}, ...children) {
  const node = attributes.xmlns ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (key !== "xmlns") node.setAttribute(key, value);
  node.append(...children);
  return node;
}

const svgElement = (name, attributes, ...children) => element(name, { xmlns: SVG, ...attributes }, ...children);
const percent = (fraction) => `${Math.round(100 * fraction)}%`;

// Shows the photo while the server looks for faces; returns the element to draw the faces on.
export async function showBusy(photo) {
  const url = URL.createObjectURL(photo);
  const image = element("img", { src: url, alt: "Your photo" });
  const stage = element("div", { class: "stage" }, image);
  document.body.classList.add("busy");
  result.hidden = false;
  problem.hidden = true;
  faceList.replaceChildren();
  figure.replaceChildren(stage);
  title.textContent = "Looking for faces…";
  status.textContent = "Looking for faces";
  await image.decode().catch(() => stage.remove()); // not an image that the browser can decode
  URL.revokeObjectURL(url);
  return stage;
}

export function showProblem(name, detail) {
  document.body.classList.remove("busy");
  title.textContent = "No result";
  status.textContent = "";
  result.hidden = false;
  faceList.replaceChildren();
  problem.replaceChildren(element("h3", {}, name), element("p", {}, detail));
  problem.hidden = false;
  reveal();
}

export function showFaces(stage, response, emotions) {
  document.body.classList.remove("busy");
  const faces = response.faces.sort((one, other) => one.box[0] - other.box[0]); // numbered from left to right
  const emoji = Object.fromEntries(emotions.map((emotion) => [emotion.name, emotion.emoji]));
  title.textContent = faces.length === 1 ? "One face" : `${faces.length} faces`;
  if (response.more_faces) title.textContent += " (more not shown)";
  status.textContent = [title.textContent, ...faces.map(summary)].join(". ");
  stage.querySelector("img").alt = `Your photo: ${title.textContent}`;
  const overlay = drawOverlay(response, stage.clientWidth);
  stage.append(overlay);
  figure.append(caption(overlay, response.milliseconds));
  const cards = faces.map((face, index) => faceCard(face, index + 1, emoji));
  cards.forEach((card, index) => highlightOnHover(card, overlay.querySelectorAll(".face-drawing")[index]));
  faceList.replaceChildren(...cards);
  reveal();
}

function reveal() {
  title.focus({ preventScroll: true });
  const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)").matches;
  result.scrollIntoView({ behavior: reducedMotion ? "auto" : "smooth", block: "start" });
}

function summary(face, index) {
  const hedge = face.uncertain ? "uncertain, possibly " : "";
  return `Face ${index + 1}: ${hedge}${face.emotion}, ${percent(face.probabilities[face.emotion])}`;
}

function drawOverlay({ width, height, faces }, shownWidth) {
  // Keeps the numbers at least 12 pixels high on the screen, even if the photo is scaled down.
  const unit = Math.max(Math.max(width, height) / 100, (4.5 * width) / (shownWidth || width));
  const drawings = faces.map((face, index) => drawFace(face, index + 1, unit));
  return svgElement("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, ...drawings);
}

function drawFace({ box: [left, top, width, height], landmarks }, number, unit) {
  const contours = CONTOURS.map(([first, last, closed]) =>
    svgElement(closed ? "polygon" : "polyline", { class: "face-contour", points: landmarks.slice(first, last + 1).join(" ") }),
  );
  const points = landmarks.map(([x, y]) => svgElement("circle", { class: "face-point", cx: x, cy: y, r: width / 110 }));
  const badge = { x: Math.max(left, 2.4 * unit), y: Math.max(top, 2.4 * unit) };
  return svgElement(
    "g",
    { class: "face-drawing" },
    svgElement("rect", { class: "face-box", x: left, y: top, width, height, rx: 0.06 * width }),
    svgElement("g", { class: "face-landmarks" }, ...contours, ...points),
    svgElement("circle", { class: "face-badge", cx: badge.x, cy: badge.y, r: 2.2 * unit }),
    svgElement("text", { class: "face-number", ...badge, "font-size": 2.7 * unit }, String(number)),
  );
}

function caption(overlay, milliseconds) {
  const toggle = element("input", { type: "checkbox", checked: "" });
  toggle.addEventListener("change", () => {
    for (const marks of overlay.querySelectorAll(".face-landmarks")) marks.toggleAttribute("hidden", !toggle.checked);
  });
  const time = element("span", {}, `Processed in ${Math.round(milliseconds)} ms`);
  return element("figcaption", {}, element("label", {}, toggle, "Show landmarks"), time);
}

function faceCard(face, number, emoji) {
  const highest = face.probabilities[face.emotion];
  const name = element("h3", {}, element("span", { class: "emoji" }, emoji[face.emotion]), ` ${face.emotion}`);
  if (face.uncertain) name.append(element("span", { class: "tag" }, "uncertain"));
  const note = face.uncertain ? "Low confidence." : `Probability: ${percent(highest)}`;
  const descending = Object.entries(face.probabilities).sort(([, one], [, other]) => other - one);
  const crop = element("img", { src: face.crop, alt: `Face ${number} as the network saw it`, width: 88, height: 88 });
  const text = element(
    "div",
    {},
    element("p", { class: "face-label" }, `Face ${number}`),
    name,
    element("p", { class: "face-note" }, note),
  );
  return element(
    "li",
    { class: face.uncertain ? "face uncertain" : "face" },
    element("div", { class: "face-head" }, crop, text),
    barTable(descending, emoji, `Probabilities for face ${number}`, "hidden", face.emotion),
  );
}

function barTable(fractions, emoji, name, captionClass, highest) {
  const rows = fractions.map(([emotion, fraction]) => {
    const bar = element("span");
    bar.style.width = `${100 * fraction}%`;
    const label = [element("span", { class: "emoji", "aria-hidden": "true" }, emoji[emotion] ?? ""), emotion];
    const row = element(
      "tr",
      {},
      element("th", { scope: "row" }, ...label),
      element("td", { "aria-hidden": "true" }, element("div", { class: "bar" }, bar)),
      element("td", { class: "percent" }, percent(fraction)),
    );
    if (emotion === highest) row.className = "highest";
    return row;
  });
  const heading = element("caption", {}, element("span", { class: captionClass }, name));
  return element("table", { class: "bars" }, heading, element("tbody", {}, ...rows));
}

// Highlights a face in the photo while the pointer is over its card.
function highlightOnHover(card, face) {
  card.addEventListener("pointerenter", () => face.classList.add("marked"));
  card.addEventListener("pointerleave", () => face.classList.remove("marked"));
}

export function describeModel(card, emotions) {
  const { metrics, classes } = card;
  const names = new Intl.ListFormat("en-US").format(classes);
  document.querySelector("#model-what").textContent =
    `This is ${card.title}, trained on FER2013 to distinguish ${classes.length} expressions: ${names}.`;
  const range = `${(100 * metrics.accuracy_low).toFixed(1)}–${(100 * metrics.accuracy_high).toFixed(1)}%`;
  document.querySelector("#model-accuracy").replaceChildren(
    element("strong", {}, `About ${Math.round(100 * (1 - metrics.accuracy))} of 100 predictions are wrong.`),
    ` On the ${metrics.n.toLocaleString("en-US")} test images of FER2013, which were not used for training, ` +
      `${percent(metrics.accuracy)} of its predictions match the human labels (95% confidence interval: ${range}). ` +
      "Accuracy on your own photos may be lower.",
  );
  if (!metrics.recall) return;
  const emoji = Object.fromEntries(emotions.map((emotion) => [emotion.name, emotion.emoji]));
  const recall = Object.entries(metrics.recall);
  document.querySelector("#model-recall").replaceChildren(barTable(recall, emoji, "Faces recognized correctly, by label", ""));
}
