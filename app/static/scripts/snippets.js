// The request of the page as a command and as a program.

import { announce, find } from "./dom.js";
import { recognizeAddress } from "./api.js";

export function writeSnippets(options) {
  const address = new URL(recognizeAddress(options), document.baseURI).href;
  find("#curl").textContent = `curl -F image=@photo.jpg '${address}'`;
  find("#python").textContent = [
    "import requests",
    "",
    'with open("photo.jpg", "rb") as photo:',
    `    response = requests.post("${address}", files={"image": photo}, timeout=30)`,
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
