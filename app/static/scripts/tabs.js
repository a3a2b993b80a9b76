// The four modes of the page as tabs. The address ends with the name of the open one, as in #/live.

import { find } from "./dom.js";

const list = find("#modes");
const tabs = [...list.querySelectorAll("[role=tab]")];
let onLeave = {};

export function openTab(name) {
  const previous = tabs.find((tab) => tab.getAttribute("aria-selected") === "true")?.dataset.mode;
  for (const tab of tabs) {
    const isOpen = tab.dataset.mode === name;
    tab.setAttribute("aria-selected", isOpen);
    tab.tabIndex = isOpen ? 0 : -1;
    find(`#${tab.dataset.mode}`).hidden = !isOpen;
  }
  history.replaceState(null, "", name === "photos" ? location.pathname + location.search : `#/${name}`);
  if (previous !== name) onLeave[previous]?.();
}

function moveWithKeys(event) {
  const place = tabs.indexOf(document.activeElement);
  const next = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (next === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const tab = tabs[(next + tabs.length) % tabs.length];
  openTab(tab.dataset.mode);
  tab.focus();
}

// `leaving` maps modes to functions that are called when the mode is left.
export function startTabs(leaving) {
  onLeave = leaving;
  for (const tab of tabs) tab.addEventListener("click", () => openTab(tab.dataset.mode));
  list.addEventListener("keydown", moveWithKeys);
  const wanted = location.hash.slice(2);
  openTab(tabs.some((tab) => tab.dataset.mode === wanted) ? wanted : "photos");
}
