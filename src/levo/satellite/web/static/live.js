"use strict";
// A shared worker: one stream of events for all pages of this browser. A stream of each page's own would use up
// the few connections that a browser opens to one host, and the seventh page would wait for ever.
const ports = new Set();
const events = new EventSource("/live");
let state = "wait", revision = null;

function tell(port) {
  port.postMessage({ state, revision });
}
function tellAll(newState) {
  state = newState;
  for (const port of ports) tell(port);
}
events.addEventListener("open", () => tellAll("on"));
events.addEventListener("error", () => tellAll("off"));
events.addEventListener("catalog", (event) => { revision = event.data; tellAll("on"); });
self.addEventListener("connect", (event) => {
  const port = event.ports[0];
  ports.add(port);
  port.addEventListener("message", () => { ports.delete(port); port.close(); });
  port.start();
  tell(port);
});
