// Small helpers to build and find elements.

const SVG = "http://www.w3.org/2000/svg";

export const find = (selector, root = document) => root.querySelector(selector);

export function element(name, attributes = {}, ...children) {
  return build(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return build(document.createElementNS(SVG, name), attributes, children);
}

function build(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

// Says something to screen readers.
export function announce(text) {
  find("#status").textContent = text;
}

export function showMessage(place, title = "", detail = "", ...actions) {
  place.hidden = !title;
  if (!title) return place.replaceChildren();
  place.replaceChildren(element("h3", {}, title), element("p", {}, detail));
  if (actions.length) place.append(element("div", { class: "buttons" }, ...actions));
}

export const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
// Rejects with an AbortError once the signal is aborted.
export function pause(milliseconds, signal = null) {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(new DOMException("Canceled", "AbortError"));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, milliseconds);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
}
