"use strict";
// Keeps a page current. The server renders; this replaces the parts marked data-live, and nothing else.
(() => {
  const root = document.documentElement;
  const live = document.getElementById("live");
  const filters = document.getElementById("filters");
  root.classList.add("scripted");

  function say(state, text) {
    live.className = "live " + state;
    live.lastElementChild.textContent = text;
  }

  function ago(then) {
    let left = Math.max(0, Math.floor((Date.now() - then) / 1000));
    if (left < 5) return "now";
    for (const [size, unit] of [[60, "s"], [60, "min"], [24, "h"], [7, "d"]]) {
      if (left < size) return left + " " + unit + " ago";
      left = Math.floor(left / size);
    }
    return new Date(then).toISOString().slice(0, 10);
  }

  function tellTimes() {
    for (const time of document.querySelectorAll("time")) {
      const text = ago(Date.parse(time.dateTime));
      if (time.textContent !== text) time.textContent = text;
      time.title = new Date(time.dateTime).toLocaleString();
    }
  }

  function counts() {
    const rows = document.querySelectorAll("tr[data-id]");
    return new Map(Array.from(rows, (row) => [row.dataset.id, row.dataset.count]));
  }

  let wanted = 0, running = false;
  async function refresh() {
    wanted += 1;
    if (running) return;
    running = true;
    try {
      for (let served = 0; served !== wanted; await new Promise((done) => setTimeout(done, 700))) {
        served = wanted;
        const answer = await fetch("/parts/catalog" + location.search, { headers: { accept: "text/html" } });
        if (answer.ok) show(await answer.text());
      }
    } catch { /* the stream below says that the Satellite is away */ } finally {
      running = false;
    }
  }

  function show(html) {
    const before = counts();
    const fresh = new DOMParser().parseFromString(html, "text/html");
    for (const part of fresh.querySelectorAll("[data-live]")) {
      const old = document.getElementById(part.id);
      if (!old || old.matches("label") && old.contains(document.activeElement)) continue;
      const box = old.querySelector(".scroll");
      const [left, focused] = [box ? box.scrollLeft : 0, box !== null && box === document.activeElement];
      old.replaceWith(document.adoptNode(part));
      const next = part.querySelector(".scroll");
      if (next) next.scrollLeft = left;
      if (next && focused) next.focus({ preventScroll: true });
    }
    for (const row of document.querySelectorAll("tr[data-id]")) {
      if (before.size && before.get(row.dataset.id) !== row.dataset.count) row.classList.add("changed");
    }
    tellTimes();
  }

  function applyFilters() {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(filters)) if (value) query.set(name, value);
    const text = query.toString();
    history.replaceState(null, "", text ? "/?" + text : "/");
    refresh();
  }

  if (filters) {
    let typing = 0;
    filters.addEventListener("submit", (event) => { event.preventDefault(); applyFilters(); });
    filters.addEventListener("change", applyFilters);
    filters.addEventListener("input", (event) => {
      if (event.target.name !== "q") return;
      clearTimeout(typing);
      typing = setTimeout(applyFilters, 200);
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "/" && !event.target.matches("input, select, textarea")) {
        event.preventDefault();
        filters.elements.q.focus();
      }
    });
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });

  const events = new EventSource("/live");
  let revision = null;
  events.addEventListener("open", () => say("on", "live"));
  events.addEventListener("error", () => say("off", "reconnecting"));
  events.addEventListener("catalog", (event) => {
    if (revision !== event.data) refresh();
    revision = event.data;
  });
  tellTimes();
  setInterval(tellTimes, 5000);
})();
