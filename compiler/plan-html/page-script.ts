// The script of the page. Everything can be read without it: it filters by text, walks the matrix by arrow keys, and
// opens the story that a cell points to.

/** Plain JavaScript for the browser: equal for every plan, and without any data in it. */
export const PAGE_SCRIPT = `"use strict";
document.documentElement.classList.add("js");
document.addEventListener("DOMContentLoaded", () => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const find = document.getElementById("find");
  const found = document.getElementById("found");
  const stories = all(".story");
  const rows = all(".matrix tbody tr:not(.server)");
  const texts = new Map();
  const textOf = (element) => {
    let text = texts.get(element);
    if (text === undefined) {
      const source = element.matches("tr") ? element.dataset.action : element.querySelector("summary").textContent + " " + element.dataset.callers;
      text = source.toLowerCase();
      texts.set(element, text);
    }
    return text;
  };

  const filter = () => {
    const words = find.value.toLowerCase().split(/\\s+/).filter((word) => word !== "");
    const fits = (element) => words.every((word) => textOf(element).includes(word));
    let shown = 0;
    for (const story of stories) {
      story.hidden = words.length > 0 && !fits(story);
      if (!story.hidden) shown += 1;
    }
    for (const row of rows) {
      row.hidden = words.length > 0 && !fits(row) && !wanted(row);
    }
    for (const body of all(".matrix tbody")) {
      body.hidden = words.length > 0 && all("tr:not(.server)", body).every((row) => row.hidden);
    }
    found.textContent = words.length === 0 ? "" : shown + " of " + stories.length + " stories";
    function wanted(row) {
      return all("td a", row).some((link) => {
        const target = document.getElementById(link.hash.slice(1));
        const story = target === null ? null : target.closest(".story");
        return story !== null && !story.hidden;
      });
    }
  };
  let timer = 0;
  if (find !== null) {
    find.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(filter, 80);
    });
    find.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      find.value = "";
      filter();
    });
  }
  document.addEventListener("keydown", (event) => {
    if (find === null || event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof HTMLInputElement && event.target.type !== "checkbox") return;
    event.preventDefault();
    find.focus();
  });

  // A story can be hidden by its kind: a link to it shows that kind again.
  const reveal = (id) => {
    const target = document.getElementById(id);
    if (target === null) return;
    for (let box = target.closest("details"); box !== null; box = box.parentElement.closest("details")) box.open = true;
    const story = target.closest(".story");
    if (story === null) return;
    const toggle = document.getElementById("show-" + story.dataset.kind);
    if (toggle !== null) toggle.checked = true;
    story.hidden = false;
    story.querySelector("summary").focus({ preventScroll: true });
    story.scrollIntoView({ block: "start" });
  };
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[href^='#']") : null;
    if (link === null || !/^#[cp]\\d+$/.test(link.getAttribute("href"))) return;
    event.preventDefault();
    const id = link.hash.slice(1);
    if (location.hash !== link.hash) location.hash = link.hash;
    reveal(id);
  });
  if (/^#[cp]\\d+$/.test(location.hash)) reveal(location.hash.slice(1));

  for (const button of all("[data-open]")) {
    button.addEventListener("click", () => {
      const open = button.dataset.open === "true";
      for (const story of stories) if (!story.hidden) story.open = open;
    });
  }

  // One stop for the tab key; the arrow keys go from change to change.
  const matrix = document.querySelector(".matrix");
  if (matrix !== null) {
    const links = all("td a", matrix);
    links.forEach((link, index) => { link.tabIndex = index === 0 ? 0 : -1; });
    const isShown = (link) => link.offsetParent !== null;
    const first = () => links.find((link) => link.tabIndex === 0 && isShown(link));
    matrix.addEventListener("focusin", (event) => {
      if (!(event.target instanceof HTMLAnchorElement)) return;
      for (const link of links) if (link.tabIndex === 0) link.tabIndex = -1;
      event.target.tabIndex = 0;
    });
    const keep = () => {
      if (first() !== undefined) return;
      for (const link of links) link.tabIndex = -1;
      const next = links.find(isShown);
      if (next !== undefined) next.tabIndex = 0;
    };
    document.addEventListener("change", keep);
    keep();
    matrix.addEventListener("keydown", (event) => {
      const link = event.target;
      if (!(link instanceof HTMLAnchorElement)) return;
      const next = neighbour(link, event.key);
      if (next === undefined) return;
      event.preventDefault();
      next.focus();
      next.scrollIntoView({ block: "nearest", inline: "nearest" });
    });
    const neighbour = (link, key) => {
      const cell = link.closest("td");
      const shown = links.filter(isShown);
      const at = shown.indexOf(link);
      const inRow = shown.filter((other) => other.closest("tr") === cell.parentElement);
      const inColumn = shown.filter((other) => other.closest("td").cellIndex === cell.cellIndex);
      switch (key) {
        case "ArrowRight": return shown[at + 1];
        case "ArrowLeft": return shown[at - 1];
        case "ArrowDown": return inColumn[inColumn.indexOf(link) + 1];
        case "ArrowUp": return inColumn[inColumn.indexOf(link) - 1];
        case "Home": return inRow[0];
        case "End": return inRow.at(-1);
        default: return undefined;
      }
    };
  }
});
`;
