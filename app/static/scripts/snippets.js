// The request of the page as a command and as a program.

import { announce, find } from "./dom.js";
import { loadSettings, recognizeAddress } from "./api.js";

const KEY = "YOUR-KEY";

export async function writeSnippets(options) {
  const { api_key_required: isKeyRequired } = await loadSettings().catch(() => ({}));
  const address = new URL(recognizeAddress(options), document.baseURI).href;
  find("#curl").textContent = `curl ${isKeyRequired ? `-H 'X-API-Key: ${KEY}' ` : ""}-F image=@photo.jpg '${address}'`;
  const headers = isKeyRequired ? `, headers={"X-API-Key": "${KEY}"}` : "";
  find("#python").textContent = [
    "import requests",
    "",
    'with open("photo.jpg", "rb") as photo:',
    `    response = requests.post("${address}", files={"image": photo}${headers}, timeout=30)`,
    "response.raise_for_status()",
    'for face in response.json()["faces"]:',
    '    print(face["box"], face["emotion"], face["probabilities"])',
  ].join("\n");
}

export async function copySnippet({ currentTarget: button }) {
  const code = find(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(code.textContent); // only over HTTPS or on this computer
    button.textContent = "Copied";
    announce("Copied");
    setTimeout(() => (button.textContent = button.dataset.label), 2000);
  } catch {
    getSelection().selectAllChildren(code);
    announce("Selected. Press Control C to copy.");
  }
}
