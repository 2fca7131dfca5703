"use strict";
(() => {
  const root = document.documentElement;

  // colours: automatic, light, dark; remembered where the browser allows it
  const theme = document.querySelector(".theme");
  if (theme) {
    const names = ["auto", "light", "dark"];
    const show = (name) => {
      root.dataset.theme = name;
      theme.textContent = theme.dataset.word + theme.dataset[name];
    };
    let stored = null;
    try { stored = localStorage.getItem("weigh-theme"); } catch { /* pages opened from disk may have no storage */ }
    show(names.includes(stored) ? stored : "auto");
    theme.hidden = false;
    theme.addEventListener("click", () => {
      const name = names[(names.indexOf(root.dataset.theme) + 1) % names.length];
      show(name);
      try { localStorage.setItem("weigh-theme", name); } catch { /* as above */ }
    });
  }

  // a mark says its numbers on hover, on touch, and by the arrow keys when its figure has the focus
  const tip = document.getElementById("tip");
  let current = null;
  const hide = () => {
    if (current) current.classList.remove("on");
    current = null;
    tip.hidden = true;
  };
  const tell = (mark) => {
    hide();
    current = mark;
    mark.classList.add("on");
    tip.textContent = mark.dataset.tip;
    tip.hidden = false;
    const box = mark.getBoundingClientRect();
    const left = box.left + box.width / 2 - tip.offsetWidth / 2;
    const above = box.top - tip.offsetHeight - 8;
    tip.style.left = Math.max(4, Math.min(left, root.clientWidth - tip.offsetWidth - 4)) + "px";
    tip.style.top = (above > 4 ? above : box.bottom + 8) + "px";
  };
  const markOf = (event) => (event.target instanceof Element ? event.target.closest("[data-tip]") : null);
  document.addEventListener("pointerover", (event) => { const mark = markOf(event); if (mark) tell(mark); else hide(); });
  document.addEventListener("scroll", hide, { passive: true, capture: true });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
    const plot = event.target instanceof Element && event.target.classList.contains("plot") ? event.target : null;
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!plot || !step) return;
    const marks = [...plot.querySelectorAll("[data-tip]")];
    if (!marks.length) return;
    event.preventDefault();
    const at = marks.indexOf(current);
    tell(marks[at < 0 ? (step > 0 ? 0 : marks.length - 1) : (at + step + marks.length) % marks.length]);
  });
  document.addEventListener("focusout", hide);

  // tables: a column title sorts, numbers by value
  const key = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.sort !== undefined && cell.dataset.sort !== "") return cell.dataset.sort;
    return cell.textContent.trim();
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...body.rows].map((row) => [key(row, column), row]);
        const numeric = (text) => text !== "" && Number.isFinite(Number(text));
        rows.sort(([a], [b]) => {
          if (numeric(a) && numeric(b)) return (Number(a) - Number(b)) * (up ? 1 : -1);
          if (numeric(a) !== numeric(b)) return numeric(a) ? -1 : 1; // what has no number stays below
          return a.localeCompare(b, root.lang, { numeric: true }) * (up ? 1 : -1);
        });
        body.append(...rows.map(([, row]) => row));
      });
    });
  }

  // what a link points at is unfolded; paper shows what is folded, except long lists
  const unfold = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    for (let node = target && target.parentElement; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    if (target) target.scrollIntoView();
  };
  window.addEventListener("hashchange", unfold);
  if (location.hash) unfold();
  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not(.long):not([open])")];
    for (const details of folded) details.open = true;
  });
  window.addEventListener("afterprint", () => { for (const details of folded) details.open = false; });
})();
