"use strict";
// Keeps a page current and gives it keys. The server renders everything; this replaces the parts marked
// data-live with fresh ones, and nothing else. Without it every page works all the same.
(() => {
  const root = document.documentElement;
  const live = document.getElementById("live");
  root.classList.add("scripted");

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

  // Fresh parts --------------------------------------------------------------------------------------------

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
      // Where refreshing takes long, here or there, it is done less often.
      let began = 0;
      const rest = () => new Promise((done) => setTimeout(done, 700 + Math.min(10000, 5 * (performance.now() - began))));
      for (let served = 0; served !== wanted; await rest()) {
        served = wanted;
        began = performance.now();
        if (document.hidden) continue;
        if (!document.querySelector("[data-live]")) return;
        const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error" });
        if (answer.ok) show(await answer.text());
      }
    } catch { /* the stream below says that the Satellite is away */ } finally {
      running = false;
    }
  }

  function busy(part) {
    const active = document.activeElement;
    return part.contains(active) && active.matches("input, select, textarea") || part.querySelector(".pop[open]");
  }

  function show(html) {
    const before = counts();
    const fresh = new DOMParser().parseFromString(html, "text/html");
    const parts = (page) => Array.from(page.querySelectorAll("[data-live]"), (part) => part.id).join();
    if (parts(fresh) !== parts(document)) {
      // Another page by now, as when the first trace has come: take all of it.
      document.getElementById("main").replaceWith(document.adoptNode(fresh.getElementById("main")));
      tellTimes();
      return;
    }
    for (const part of fresh.querySelectorAll("[data-live]")) {
      const old = document.getElementById(part.id);
      if (!old || busy(old) || old.innerHTML === part.innerHTML) continue;
      const box = old.querySelector(".scroll");
      const left = box ? box.scrollLeft : 0;
      const opened = Array.from(old.querySelectorAll("details"), (each) => each.open);
      const links = Array.from(old.querySelectorAll("a[href]"));
      const focused = links.indexOf(document.activeElement);
      const address = focused >= 0 ? links[focused].getAttribute("href") : null;
      const boxFocused = box !== null && box === document.activeElement;
      const next = document.adoptNode(part);
      old.replaceWith(next);
      const details = next.querySelectorAll("details");
      if (details.length === opened.length) details.forEach((each, at) => { each.open = opened[at]; });
      const nextBox = next.querySelector(".scroll");
      if (nextBox) nextBox.scrollLeft = left;
      if (nextBox && boxFocused) nextBox.focus({ preventScroll: true });
      if (address !== null) {
        const same = Array.from(next.querySelectorAll("a[href]")).find((each) => each.getAttribute("href") === address);
        if (same) same.focus({ preventScroll: true });
      }
    }
    for (const row of document.querySelectorAll("tr[data-id]")) {
      if (before.size && before.get(row.dataset.id) !== row.dataset.count) row.classList.add("changed");
    }
    tellTimes();
  }

  let pause = 0;
  function applyFilters(form) {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value && name !== "offset") query.set(name, value);
    const text = query.toString();
    history.replaceState(null, "", form.getAttribute("action") + (text ? "?" + text : ""));
    refresh();
  }
  document.addEventListener("submit", (event) => {
    if (event.target.id === "filters") { event.preventDefault(); applyFilters(event.target); }
  });
  document.addEventListener("input", (event) => {
    const form = event.target.closest("#filters");
    if (form) { clearTimeout(pause); pause = setTimeout(() => applyFilters(form), 180); }
  });

  if (live) {
    const say = (state, text) => {
      live.className = "live " + state;
      live.lastElementChild.textContent = text;
    };
    let revision = null;
    const heard = (state, now) => {
      if (state !== "wait") say(state, state === "on" ? "live" : "reconnecting");
      // Many may be watching: not all of them ask in the same moment.
      if (now !== null && now !== revision) setTimeout(refresh, revision === null ? 0 : 400 * Math.random());
      if (now !== null) revision = now;
    };
    const listen = () => {
      if (window.SharedWorker) {
        // Named by the session: whoever logs in next starts another.
        const { port } = new SharedWorker("/static/live.js", { name: live.dataset.channel });
        port.addEventListener("message", (event) => heard(event.data.state, event.data.revision));
        port.start();
        return () => port.postMessage("bye");
      }
      const events = new EventSource("/live");
      events.addEventListener("open", () => heard("on", null));
      events.addEventListener("error", () => heard("off", null));
      events.addEventListener("catalog", (event) => heard("on", event.data));
      return () => events.close();
    };
    let leave = listen();
    addEventListener("pagehide", () => leave());
    addEventListener("pageshow", (event) => { if (event.persisted) leave = listen(); });
    document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
  }

  // Small things -------------------------------------------------------------------------------------------

  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      await navigator.clipboard.writeText(document.getElementById(copy.dataset.copy).textContent);
      copy.textContent = "Copied";
      setTimeout(() => { copy.textContent = "Copy"; }, 1500);
    }
    for (const open of document.querySelectorAll(".pop[open]")) {
      if (!open.contains(event.target)) open.open = false;
    }
  });

  const theme = document.querySelector("[data-theme-button]");
  if (theme) {
    const order = ["", "light", "dark"], names = { "": "as the system", light: "light", dark: "dark" };
    const tell = () => theme.setAttribute("aria-label", "Colours: " + names[root.dataset.theme || ""]);
    theme.addEventListener("click", () => {
      const next = order[(order.indexOf(root.dataset.theme || "") + 1) % order.length];
      if (next) root.dataset.theme = next; else delete root.dataset.theme;
      try { localStorage.setItem("theme", next); } catch { /* for this page only, then */ }
      tell();
    });
    tell();
  }

  if (matchMedia("(max-width: 1100px)").matches) {
    for (const each of document.querySelectorAll("details[data-narrow-closed]")) each.open = false;
  }

  // The palette --------------------------------------------------------------------------------------------

  const palette = document.getElementById("palette");
  if (palette) {
    const input = palette.querySelector("input"), list = palette.querySelector("ul");
    let chosen = 0, asked = 0, typing = 0;
    const pages = Array.from(document.querySelectorAll(".side nav a"), (a) => ({ href: a.getAttribute("href"), text: a.textContent.trim(), note: "page" }));

    const mark = () => {
      Array.from(list.children).forEach((each, at) => each.setAttribute("aria-selected", String(at === chosen)));
      const now = list.children[chosen];
      if (now) { input.setAttribute("aria-activedescendant", now.id); now.scrollIntoView({ block: "nearest" }); }
    };
    const fill = (items) => {
      list.replaceChildren(...items.map((item, at) => {
        const row = document.createElement("li");
        row.id = "palette-" + at;
        row.role = "option";
        row.dataset.href = item.href;
        if (item.method) {
          const method = document.createElement("span");
          method.className = "method " + item.method.toLowerCase();
          method.textContent = item.method;
          row.append(method);
        }
        const text = document.createElement("span"), note = document.createElement("small");
        text.textContent = item.text;
        note.textContent = item.note;
        row.append(text, note);
        return row;
      }));
      chosen = 0;
      mark();
    };
    const search = async () => {
      const text = input.value.trim(), mine = ++asked;
      const found = pages.filter((page) => page.text.toLowerCase().includes(text.toLowerCase()));
      let endpoints = [];
      if (text) {
        const answer = await fetch("/api/endpoints?limit=12&q=" + encodeURIComponent(text));
        if (answer.ok) endpoints = (await answer.json()).endpoints;
      }
      if (mine !== asked) return;
      fill([...found, ...endpoints.map((each) => ({ href: "/endpoints/" + each.id, text: each.path, note: each.application, method: each.method }))]);
    };
    const open = () => { if (!palette.open) { palette.showModal(); input.value = ""; search(); input.focus(); } };
    input.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(search, 120); });
    palette.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        const size = list.children.length;
        if (size) chosen = (chosen + (event.key === "ArrowDown" ? 1 : size - 1)) % size;
        mark();
      } else if (event.key === "Enter" && list.children[chosen]) {
        event.preventDefault();
        location.assign(list.children[chosen].dataset.href);
      }
    });
    palette.addEventListener("click", (event) => {
      const row = event.target.closest("li");
      if (row) location.assign(row.dataset.href);
      else if (event.target === palette) palette.close();
    });
    for (const button of document.querySelectorAll("[data-palette]")) button.addEventListener("click", open);

    let prefix = 0;
    const places = { o: "/", c: "/catalog", s: "/sensitive", h: "/changes", e: "/encrypted", r: "/reference", n: "/sensors" };
    document.addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); open(); return; }
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea") || document.querySelector("dialog[open]")) return;
      const filters = document.getElementById("filters");
      if (Date.now() - prefix < 1200 && places[event.key]) { location.assign(places[event.key]); return; }
      if (event.key === "g") prefix = Date.now();
      else if (event.key === "?") document.getElementById("keys").showModal();
      else if (event.key === "/" && filters) { event.preventDefault(); filters.elements.q.focus(); filters.elements.q.select(); }
      else if (event.key === "j" || event.key === "k") {
        const rows = Array.from(document.querySelectorAll("[data-row]"));
        const at = rows.indexOf(document.activeElement);
        const next = rows[event.key === "j" ? at + 1 : Math.max(0, at - 1)];
        if (next) { event.preventDefault(); next.focus(); }
      }
    });
  }

  tellTimes();
  setInterval(tellTimes, 5000);
})();
