"use strict";

// Sort a table by the column whose heading is pressed; numbers by value, the rest as text.
const valueOf = (row, column) => {
  const cell = row.cells[column];
  const number = Number.parseFloat(cell.dataset.value ?? cell.textContent.replace("−", "-"));
  return Number.isNaN(number) ? cell.textContent.trim() : number;
};
const compare = (first, second) =>
  typeof first === "number" && typeof second === "number" ? first - second : String(first).localeCompare(String(second));

for (const table of document.querySelectorAll("table.sortable")) {
  for (const heading of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const descending = heading.ariaSort !== "descending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      heading.ariaSort = descending ? "descending" : "ascending";
      const rows = [...table.tBodies[0].rows];
      const key = (row) => valueOf(row, heading.cellIndex);
      rows.sort((first, second) => (descending ? -1 : 1) * compare(key(first), key(second)));
      table.tBodies[0].append(...rows);
    });
  }
}

// Show what a point or a cell says at once, where the browser would wait.
const tip = document.getElementById("tip");
document.addEventListener("pointerover", ({ target, clientX, clientY }) => {
  const title = target.closest?.("svg *")?.querySelector(":scope > title");
  tip.hidden = !title;
  if (!title) return;
  tip.textContent = title.textContent;
  tip.style.left = `${Math.min(clientX + 12, innerWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${Math.max(clientY - tip.offsetHeight - 12, 8)}px`;
});

// Mark the section that is being read.
const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
const seen = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(target.id)?.setAttribute("aria-current", "true");
    }
  },
  { rootMargin: "-30% 0px -65% 0px" },
);
for (const section of document.querySelectorAll("main section")) seen.observe(section);

// On paper, nothing is folded.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
