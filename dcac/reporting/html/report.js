"use strict";
// Sorts tables, draws a chart when it comes into sight, fills in pictures, and opens what a link leads to.
(function () {
  const data = (id) => JSON.parse(document.getElementById(id).textContent);
  const charts = data("charts"), pictures = data("pictures");

  document.querySelectorAll("table.sortable").forEach((table) => new Tablesort(table, { descending: true }));
  document.querySelectorAll("img[data-picture]").forEach((image) => { image.src = pictures[image.dataset.picture]; });

  function draw(place) {
    if (place.dataset.drawn) return;
    place.dataset.drawn = "begun";
    const actions = { export: true, source: false, compiled: false, editor: false };
    const options = { mode: "vega-lite", renderer: "svg", actions: actions };
    vegaEmbed(place, charts[place.id], options).then(() => { place.dataset.drawn = "done"; });
  }
  const plots = document.querySelectorAll(".plot");
  const sight = new IntersectionObserver((entries) => {
    entries.filter((entry) => entry.isIntersecting).forEach((entry) => draw(entry.target));
  }, { rootMargin: "200px" });
  plots.forEach((place) => sight.observe(place));
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details.printed").forEach((part) => { part.open = true; });
    plots.forEach((place) => { if (place.getClientRects().length) draw(place); });
  });

  function open() {
    const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!place) return;
    for (let part = place; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
    place.querySelectorAll(":scope > details").forEach((part) => { part.open = true; });
    place.scrollIntoView();
    place.focus({ preventScroll: true });
  }
  window.addEventListener("hashchange", open);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link && link.hash === location.hash) open();
  });
  open();
})();
