"""Load from wrk, as Lua scripts that it runs."""

from __future__ import annotations

import re
from pathlib import Path

from tests.system.network import Namespace

PIPELINED = """
init = function(args)
  local requests = {}
  for i = 1, 20 do requests[i] = wrk.format("GET", "/item/" .. i) end
  pipeline = table.concat(requests)
end
request = function() return pipeline end
"""
"""Twenty requests are sent at once; wrk counts every answer."""

NUMBERED = """
local made, limit = %(first)d, %(first)d + %(limit)d
local pads = {}
for i = 0, 15 do pads[i] = string.rep("p", i * 200) end
request = function()
  made = made + 1
  local id = tostring(made)
  local headers = { ["X-Id"] = id, ["X-Pad"] = pads[made %% 16] }
  if made %% 3 == 0 then
    headers["Content-Type"] = "application/json"
    local text = '{"id":"' .. id .. '","pad":"' .. pads[made %% 11] .. '"}'
    return wrk.format("POST", "/echo/" .. id, headers, text)
  end
  return wrk.format("GET", "/echo/" .. id, headers)
end
response = function()
  if made >= limit then wrk.thread:stop() end
end
"""
"""Every request has its own number, from ``first`` on, in target, field and body; about ``limit`` of them."""


def answered(report: str) -> int:
    """How many responses wrk counted."""
    found = re.search(r"(\d+) requests in ", report)
    assert found, report
    return int(found[1])


CONNECTIONS = 32
"""Of wrk, unless a test says otherwise."""


def wrk(
    namespace: Namespace,
    url: str,
    *,
    seconds: float,
    connections: int = CONNECTIONS,
    folder: Path,
    script: str = "",
    pause_ms: int = 0,
) -> str:
    """Run wrk for *seconds*; its report. Each connection waits *pause_ms* before a request."""
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s"]
    if pause_ms:
        script += f"\ndelay = function() return {pause_ms} end\n"
    path = folder / "load.lua"
    path.write_text(script)
    argv += ["-s", str(path)]
    return namespace.run([*argv, url], timeout=seconds + 60)
