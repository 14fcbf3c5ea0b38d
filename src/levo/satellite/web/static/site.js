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

  // Only how long ago: the moment itself comes from the server, in UTC like the axes, as the page says.
  function tellTimes(within = document) {
    for (const time of within.querySelectorAll("time")) {
      const text = ago(Date.parse(time.dateTime));
      if (time.textContent !== text) time.textContent = text;
    }
  }

  // Fresh parts --------------------------------------------------------------------------------------------

  let wanted = 0, running = false, shown = live ? Number(live.dataset.revision) : 0, tag = "", before = location.href;
  async function refresh() {
    wanted += 1;
    if (running) return;
    running = true;
    try {
      // Where refreshing takes long, here or there, it is done less often.
      let began = 0;
      const rest = () => new Promise((done) => setTimeout(done, 1200 + Math.min(10000, 5 * (performance.now() - began))));
      for (let served = 0; served !== wanted; await rest()) {
        served = wanted;
        began = performance.now();
        if (document.hidden) continue;
        if (!document.querySelector("[data-live]")) return;
        const headers = { accept: "text/html" };
        if (tag) headers["if-none-match"] = tag;
        const address = location.href;
        const answer = await fetch(address, { headers, redirect: "error" });
        if (answer.ok) tag = show(await answer.text(), address === before) ? answer.headers.get("etag") : "";
        else if (answer.status === 304) tellTimes();
        before = address;
      }
    } catch { /* the stream below says that the Satellite is away */ } finally {
      running = false;
    }
  }

  function busy(part) {
    const active = document.activeElement;
    return part.contains(active) && active.matches("input, select, textarea") || part.querySelector(".pop[open]");
  }

  // Returns whether all of it is shown now: what somebody is filling in is left alone.
  function show(html, pointOut) {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    shown = Number(fresh.getElementById("live").dataset.revision);
    tellTimes(fresh);
    const parts = (page) => Array.from(page.querySelectorAll("[data-live]"), (part) => part.id).join();
    if (parts(fresh) !== parts(document)) {
      // Another page by now, as when the first trace has come: take all of it.
      document.getElementById("main").replaceWith(document.adoptNode(fresh.getElementById("main")));
      return true;
    }
    const moved = [];
    let all = true;
    for (const part of fresh.querySelectorAll("[data-live]")) {
      const old = document.getElementById(part.id);
      if (busy(old)) { all = false; continue; }
      const focused = old.contains(document.activeElement) ? document.activeElement : null;
      const address = focused && focused.getAttribute("href");
      renew(old, part, moved);
      if (address && document.activeElement.getAttribute("href") !== address) {
        const same = Array.from(old.querySelectorAll("a[href]")).find((each) => each.getAttribute("href") === address);
        if (same) same.focus({ preventScroll: true });
      }
    }
    // A few rows that have changed are pointed out; where all of them change all the time it would say nothing.
    if (pointOut && moved.length && moved.length <= 8) {
      for (const row of moved) row.classList.add("changed");
      setTimeout(() => { for (const row of moved) row.classList.remove("changed"); }, 1200);
    }
    return all;
  }

  // Makes one element like another of the same name and touches only what differs: what stays keeps its focus,
  // selection and scroll position, a details element stays open, and little has to be laid out and drawn again.
  function renew(old, fresh, moved) {
    if (old.isEqualNode(fresh)) return;
    const kept = (name) => name === "open" && old.localName === "details";
    for (const name of old.getAttributeNames()) if (!fresh.hasAttribute(name) && !kept(name)) old.removeAttribute(name);
    if (old.dataset.count !== fresh.dataset.count) moved.push(old);
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value && !kept(name)) old.setAttribute(name, value);
    }
    const have = new Map(), wanted = new Set();
    for (const child of fresh.children) if (child.dataset.id) wanted.add(child.dataset.id);
    for (const child of Array.from(old.children)) {
      const id = child.dataset.id;
      if (!id) continue;
      if (wanted.has(id)) have.set(id, child);
      else child.remove();
    }
    const first = !have.size;
    let at = old.firstChild;
    for (const next of Array.from(fresh.childNodes)) {
      const id = next.dataset && next.dataset.id;
      const same = id ? have.get(id) : at && at.nodeName === next.nodeName && !(at.dataset && at.dataset.id) ? at : null;
      if (!same) {
        old.insertBefore(document.adoptNode(next), at);
        if (id && !first) moved.push(next);
        continue;
      }
      if (same === at) at = at.nextSibling;
      else old.insertBefore(same, at);
      if (same.nodeType === Node.ELEMENT_NODE) renew(same, next, moved);
      else if (same.data !== next.data) same.data = next.data;
    }
    while (at) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
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
    let was = "wait", told = shown;
    const heard = (state, now) => {
      if (state !== "wait") say(state, state === "on" ? "live" : "reconnecting");
      // Many may be watching: not all of them ask in the same moment.
      if (state === "on" && was === "off") setTimeout(refresh, 400 * Math.random());
      else if (now > Math.max(told, shown)) setTimeout(() => { if (told > shown) refresh(); }, 400 * Math.random());
      was = state;
      told = now;
    };
    const listen = () => {
      if (window.SharedWorker) {
        // Named by the session: whoever logs in next starts another.
        const { port } = new SharedWorker(live.dataset.worker, { name: live.dataset.channel });
        port.addEventListener("message", (event) => heard(event.data.state, Number(event.data.revision)));
        port.start();
        return () => port.postMessage("bye");
      }
      const events = new EventSource("/live");
      events.addEventListener("open", () => heard("on", 0));
      events.addEventListener("error", () => heard("off", 0));
      events.addEventListener("catalog", (event) => heard("on", Number(event.data)));
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
      const source = document.getElementById(copy.dataset.copy);
      // Browsers have no clipboard for pages over plain HTTP, except on loopback; a selection can be copied there.
      if (navigator.clipboard) await navigator.clipboard.writeText(source.textContent);
      else {
        getSelection().selectAllChildren(source);
        document.execCommand("copy");
      }
      copy.textContent = "Copied";
      setTimeout(() => { copy.textContent = "Copy"; }, 1500);
    }
    for (const open of document.querySelectorAll(".pop[open]")) {
      if (!open.contains(event.target)) open.open = false;
    }
  });

  // What is dear to work out is asked for when it is opened.
  for (const dear of document.querySelectorAll("details[data-load]")) {
    dear.addEventListener("toggle", async () => {
      const answer = await fetch(dear.dataset.load, { headers: { accept: "text/html" } });
      if (!answer.ok) return;
      const found = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("evidence");
      dear.lastElementChild.replaceChildren(...document.adoptNode(found).childNodes);
    }, { once: true });
  }

  // On a phone the bar of pages is wider than the screen.
  for (const bar of document.querySelectorAll(".side nav, .line")) {
    const here = bar.querySelector("[aria-current]");
    if (here && bar.scrollWidth > bar.clientWidth) bar.scrollLeft = here.offsetLeft + here.offsetWidth / 2 - bar.clientWidth / 2;
  }

  const theme = document.querySelector("[data-theme-button]");
  if (theme) {
    const order = ["", "light", "dark"], names = { "": "as the system", light: "light", dark: "dark" };
    const tell = () => theme.setAttribute("aria-label", "Colors: " + names[root.dataset.theme || ""]);
    theme.addEventListener("click", () => {
      const next = order[(order.indexOf(root.dataset.theme || "") + 1) % order.length];
      if (next) root.dataset.theme = next; else delete root.dataset.theme;
      document.cookie = "theme=" + next + "; path=/; max-age=" + (next ? 31536000 : 0) + "; samesite=lax";
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
    const places = { o: "/", c: "/catalog", p: "/posture", s: "/sensitive", h: "/changes", e: "/encrypted", r: "/reference", n: "/sensors" };
    document.addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); open(); return; }
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea") || document.querySelector("dialog[open]")) return;
      const filters = document.getElementById("filters");
      if (Date.now() - prefix < 1200 && places[event.key]) { location.assign(places[event.key]); return; }
      if (event.key === "g") prefix = Date.now();
      else if (event.key === "?") document.getElementById("keys").showModal();
      else if (event.key === "/" && filters) { event.preventDefault(); filters.elements.filter.focus(); filters.elements.filter.select(); }
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
