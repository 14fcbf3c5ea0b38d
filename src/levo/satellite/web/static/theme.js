"use strict";
// Before the first paint: the colours chosen on this device.
try {
  const chosen = localStorage.getItem("theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
} catch { /* storage may be forbidden; the system's colours are used then */ }
