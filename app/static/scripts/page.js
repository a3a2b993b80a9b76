// Starts the page: accepts photos and videos from all sources, and connects the modes.

import { fetchJson, loadSettings, setApiKey } from "./api.js";
import { find } from "./dom.js";
import { setGameEmotions, startGame, stopGame } from "./game.js";
import { startLive, stopLive } from "./live.js";
import { describeModel } from "./model.js";
import { addPhotos, hasPhotos, startPhotos } from "./photos.js";
import { copySnippet } from "./snippets.js";
import { openTab, startTabs } from "./tabs.js";
import { openVideo, startVideo, stopVideo } from "./video.js";

let intakes = 0; // so that a sample that loads slowly does not replace what came after it

function accept(files) {
  intakes++;
  const videos = files.filter(({ type }) => type.startsWith("video/"));
  const photos = files.filter((file) => !videos.includes(file));
  if (photos.length) {
    openTab("photos");
    addPhotos(photos);
  } else if (videos.length) {
    openTab("video");
    openVideo(videos[0]);
  }
}

async function acceptSample(path) {
  const intake = ++intakes;
  const response = await fetch(path).catch(() => null);
  if (intake !== intakes) return;
  const name = path.split("/").at(-1);
  const content = response?.ok ? await response.blob() : new Blob(); // an empty one: the result says what is the matter
  addPhotos([new File([content], name, { type: content.type })], { isSample: true });
}

function acceptFromFileDialog() {
  const chooser = find("#file");
  find("#choose").addEventListener("click", () => chooser.click());
  chooser.addEventListener("change", () => {
    accept([...chooser.files]);
    chooser.value = ""; // allows the same file to be selected again
  });
}

function acceptDropped() {
  for (const type of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(type, (event) => {
      event.preventDefault();
      document.body.classList.toggle("dragging", type === "dragover");
    });
  }
  document.addEventListener("drop", (event) => accept([...event.dataTransfer.files]));
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) accept(files);
  });
}

function acceptSamples() {
  const samples = [...document.querySelectorAll("[data-sample]")];
  for (const sample of samples) sample.addEventListener("click", () => acceptSample(sample.dataset.sample));
  if (!hasPhotos()) acceptSample(samples[0].dataset.sample); // the first screen shows a result
}

function askForKey() {
  const form = find("#key-form");
  form.hidden = false;
  let isStarted = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    setApiKey(find("#key").value.trim());
    form.hidden = true;
    if (!isStarted) acceptSamples();
    isStarted = true;
  });
}

startTabs({ live: stopLive, game: stopGame, video: stopVideo });
startPhotos();
startLive();
startGame();
startVideo();
acceptFromFileDialog();
acceptDropped();
for (const button of document.querySelectorAll("[data-copy]")) {
  button.dataset.label = button.textContent;
  button.addEventListener("click", copySnippet);
}

const settings = loadSettings().catch(() => ({})); // the first photo loads them again
settings.then(({ api_key_required: isKeyRequired }) => (isKeyRequired ? askForKey() : acceptSamples()));
Promise.all([fetchJson("api/v1/model"), settings]).then(
  ([card]) => {
    setGameEmotions(card.classes);
    describeModel(card);
  },
  () => {}, // the page keeps its message that the figures could not be loaded
);
