"use strict";
document.documentElement.classList.add("js");
for (const button of document.querySelectorAll("table.sortable thead button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const column = [...head.parentNode.children].indexOf(head);
    const down = head.getAttribute("aria-sort") !== "descending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = head.closest("table").tBodies[0];
    const value = row => {
      const text = row.cells[column].dataset.v;
      return text === "" ? (down ? -Infinity : Infinity) : Number(text);
    };
    [...body.rows].sort((a, b) => (down ? value(b) - value(a) : value(a) - value(b)) || 0)
      .forEach(row => body.append(row));
  });
}
const marked = [...document.querySelectorAll("[data-a]")];
const dim = name => marked.forEach(e => e.classList.toggle("dim", name !== null && e.dataset.a !== name));
for (const element of marked) {
  element.addEventListener("pointerenter", () => dim(element.dataset.a));
  element.addEventListener("pointerleave", () => dim(null));
}
