// "Make this face": an emoji is shown, and the score rises with the probability of its expression.

import { Problem, UNREACHABLE } from "./api.js";
import { CAMERA_ENDED, Camera, ease, explainTrouble, followFace } from "./camera.js";
import { announce, element, find, showMessage } from "./dom.js";
import { colorOf, emojiOf, hueOf, percent } from "./emotions.js";
import { toBlob } from "./picture.js";
import { FONT, INK, download } from "./save.js";

const ROUND_SECONDS = 8;
const ENOUGH = 0.9; // a round ends early at this probability
const PAUSE_SECONDS = 1.5; // between rounds
const camera = new Camera(find("#game-canvas"), play, showTrouble, () => {
  stopGame();
  showTrouble(CAMERA_ENDED);
});
let emotions = [];
let rounds = [];
let round = null;

export function setGameEmotions(names) {
  emotions = names;
}

async function start() {
  showTrouble(null);
  find("#game-start").disabled = true;
  find("#game-end").hidden = true;
  try {
    if (!emotions.length) throw new Problem(UNREACHABLE); // the model is not described yet
    await camera.start();
    if (!camera.isOn) return;
    rounds = shuffle(emotions).map((name) => ({ name, best: 0, begun: null, picture: null }));
    find("#game").dataset.state = "playing";
    next();
  } catch (error) {
    stopGame();
    const [title, detail] = explainTrouble(error);
    showTrouble({ title, detail });
    announce(`${title}. ${detail}`);
  } finally {
    find("#game-start").disabled = false;
  }
}

const shuffle = (names) =>
  names
    .map((name) => [Math.random(), name])
    .sort()
    .map(([, name]) => name);

function next() {
  round = rounds.find(({ begun }) => begun === null) ?? null;
  if (!round) return finish();
  const number = rounds.indexOf(round) + 1;
  find("#game").dataset.hue = hueOf(round.name);
  find("#game-target").textContent = emojiOf(round.name);
  find("#game-word").textContent = round.name;
  find("#game-round").textContent = `Face ${number} of ${rounds.length}`;
  showScore(0, 0);
  announce(`Make this face: ${round.name}`);
}

// Called for every frame.
function play({ faces }, time, frame) {
  if (!round || (round.done && time < round.done + PAUSE_SECONDS)) return;
  if (round.done) return next();
  round.begun ??= time;
  round.followed = followFace(faces, round.followed);
  round.eased = round.followed && ease(round.eased, round.followed.probabilities, 0.6);
  const probability = round.eased?.[round.name] ?? 0;
  if (probability > round.best) {
    round.best = probability;
    keepPicture(round, frame);
  }
  showScore(probability, round.best);
  const left = ROUND_SECONDS - (time - round.begun);
  find("#game-time").value = Math.max(0, left / ROUND_SECONDS);
  if (left > 0 && round.best < ENOUGH) return;
  round.done = time;
  find("#game").classList.toggle("applause", round.best >= ENOUGH);
  find("#game-round").textContent = praise(round.best);
  announce(`${round.name}: ${percent(round.best)}`);
}

function praise(best) {
  if (best >= ENOUGH) return "Perfect!";
  if (best >= 0.6) return "Well done!";
  return best >= 0.3 ? "Not bad!" : "The network saw something else.";
}

function showScore(now, best) {
  const meter = find("#game-meter");
  meter.style.setProperty("--now", now);
  meter.style.setProperty("--best", best);
  meter.setAttribute("aria-valuenow", Math.round(100 * now));
  find("#game-score").textContent = Math.round(100 * best);
  if (!round.done) find("#game").classList.remove("applause");
}

// Keeps the frame that was scored; the canvas shows a later one by now.
async function keepPicture(kept, frame) {
  const { best } = kept;
  const image = await createImageBitmap(frame);
  if (best !== kept.best) return; // a better frame came meanwhile
  const picture = document.createElement("canvas");
  [picture.width, picture.height] = [image.width, image.height];
  picture.getContext("2d").drawImage(image, 0, 0);
  kept.picture = picture;
}

function finish() {
  camera.stop();
  const total = Math.round(100 * rounds.reduce((sum, { best }) => sum + best, 0));
  find("#game").dataset.state = "over";
  find("#game-total").textContent = `${total} of ${100 * rounds.length} points`;
  find("#game-strip").replaceChildren(...rounds.map(makeResult));
  find("#game-end").hidden = false;
  announce(`The end. ${find("#game-total").textContent}`);
}

function makeResult({ name, best, picture }) {
  const words = element("span", {}, element("span", { class: "emoji" }, emojiOf(name)), ` ${percent(best)}`);
  return element("li", { "data-hue": hueOf(name), "aria-label": `${name}: ${percent(best)}` }, picture ?? "", words);
}

async function saveStrip() {
  const [width, height, margin, foot] = [480, 360, 24, 64];
  const strip = document.createElement("canvas");
  [strip.width, strip.height] = [width + 2 * margin, margin + rounds.length * (height + foot) + margin];
  const context = strip.getContext("2d");
  context.fillStyle = "#fffdf8";
  context.fillRect(0, 0, strip.width, strip.height);
  rounds.forEach(({ name, best, picture }, index) => {
    const top = margin + index * (height + foot);
    context.fillStyle = colorOf(name);
    context.fillRect(margin, top, width, height);
    if (picture) drawCovering(context, picture, [margin, top, width, height]);
    context.fillStyle = INK;
    context.font = `650 30px ${FONT}`;
    context.fillText(`${emojiOf(name)} ${name} ${percent(best)}`, margin, top + height + 42);
  });
  download(await toBlob(strip, "image/png"), "faces.png");
}

// Draws the picture into the box so that it covers it, as `object-fit: cover` does.
function drawCovering(context, picture, [left, top, width, height]) {
  const scale = Math.max(width / picture.width, height / picture.height);
  const [part, rest] = [width / scale, height / scale];
  context.drawImage(
    picture,
    (picture.width - part) / 2,
    (picture.height - rest) / 2,
    part,
    rest,
    left,
    top,
    width,
    height,
  );
}

function showTrouble(problem) {
  showMessage(find("#game-problem"), problem?.title, problem?.detail);
}

export function stopGame() {
  camera.stop();
  round = null;
  find("#game").dataset.state = "idle";
}

export function startGame() {
  stopGame();
  find("#game-start").addEventListener("click", start);
  find("#game-again").addEventListener("click", start);
  find("#game-stop").addEventListener("click", stopGame);
  find("#game-save").addEventListener("click", saveStrip);
  find("#game-skip").addEventListener("click", () => {
    round.begun ??= 0;
    next();
  });
}
