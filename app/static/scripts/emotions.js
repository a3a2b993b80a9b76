// The emotions as the page shows them: their order, emoji and colors.

// Each has a color in styles/emotions.css; other classes of a model of your own get one of the spare colors.
const WITH_COLOR = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"];
const SPARE_COLORS = 4;

let order = WITH_COLOR;
let emoji = {};
const spares = new Map();

export function setEmotions(emotions) {
  order = emotions.map(({ name }) => name);
  emoji = Object.fromEntries(emotions.map((emotion) => [emotion.name, emotion.emoji]));
}

export const allEmotions = () => order;
export const emojiOf = (name) => emoji[name] ?? ""; // classes of your own have none
export const signOf = (name) => emojiOf(name) || name;
export const percent = (fraction) => `${Math.round(100 * fraction)}%`;

// The value of the attribute data-hue, which selects the color of an element.
export function hueOf(name) {
  if (WITH_COLOR.includes(name)) return name;
  if (!spares.has(name)) spares.set(name, `spare-${1 + (spares.size % SPARE_COLORS)}`);
  return spares.get(name);
}

export function colorOf(name) {
  return getComputedStyle(document.documentElement)
    .getPropertyValue(`--bright-${hueOf(name)}`)
    .trim();
}

export function inOrder(names) {
  const place = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  return [...names].sort((one, other) => place(one) - place(other));
}

export function mostProbable(probabilities) {
  return Object.keys(probabilities).reduce((best, name) => (probabilities[name] > probabilities[best] ? name : best));
}

// How many faces show each emotion, most frequent first: [["happy", 4], ["neutral", 1]].
export function countEmotions(faces) {
  const counts = new Map();
  for (const { emotion } of faces) counts.set(emotion, (counts.get(emotion) ?? 0) + 1);
  return inOrder(counts.keys())
    .map((name) => [name, counts.get(name)])
    .sort(([, one], [, other]) => other - one);
}

export function countFaces(count) {
  return count === 1 ? "1 face" : `${count} faces`;
}

// "5 faces: 4 happy, 1 neutral"
export function summarize(faces) {
  if (!faces.length) return "No face found";
  const counts = countEmotions(faces).map(([name, count]) => (faces.length === 1 ? name : `${count} ${name}`));
  return `${countFaces(faces.length)}: ${counts.join(", ")}`;
}

export function labelOf({ emotion, probabilities, uncertain }) {
  return `${emotion}${uncertain ? "?" : ""} ${percent(probabilities[emotion])}`;
}
