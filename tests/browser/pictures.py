"""Makes the pictures of the documentation: ``python -m tests.browser.pictures FOLDER``.

An hour of the sample shop's traffic goes through the sensor into a Satellite, and a browser looks at it.
"""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from levo.demo.capture_file import write_capture
from tests.browser.conftest import CHROMIUM
from tests.satellite.running import RunningSatellite, until

MINUTES = 57
PICTURES = (
    ("overview", "/", "light", (1360, 900)),
    ("overview", "/", "dark", (1360, 900)),
    ("overview", "/", "dark", (390, 844)),
    ("catalog", "/catalog", "light", (1360, 900)),
    ("endpoint", "/endpoints/2", "light", (1360, 900)),
    ("sensitive", "/sensitive", "dark", (1360, 900)),
    ("reference", "/reference", "light", (1360, 900)),
    ("sensors", "/sensors", "light", (1360, 900)),
    ("changes", "/changes", "dark", (1360, 900)),
    ("catalog", "/catalog", "dark", (390, 844)),
)


def main(folder: Path) -> None:
    """Write the pictures to *folder*."""
    with tempfile.TemporaryDirectory() as scratch:
        capture = Path(scratch) / "shop.pcap"
        start_ns = time.time_ns() - MINUTES * 60 * 10**9
        with RunningSatellite(Path(scratch) / "data") as satellite:
            for part in range(MINUTES // 3):
                wave = 1.2 + math.sin(part / 3)
                with capture.open("wb") as file:
                    at_ns = start_ns + part * 180 * 10**9
                    write_capture(file, 1, int(220 * wave), at_ns, 220 * wave / 170, part)
                subprocess.run(
                    [
                        *(sys.executable, "-m", "levo", "apidump", "--config=/dev/null", f"--read={capture}"),
                        *(f"--satellite-url={satellite.web}", "--rate-limit=0", "--service-name=shop"),
                        "--levo-env=production",
                    ],
                    check=True,
                    stderr=subprocess.DEVNULL,
                    timeout=120,
                )
            satellite.until_idle()
            until(lambda: satellite.get("/api/sensitive").json()["total"] > 10)
            time.sleep(4)
            with sync_playwright() as engine:
                browser = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
                for name, path, scheme, (width, height) in PICTURES:
                    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
                    page.goto(satellite.web + path)
                    page.locator(".live.on").wait_for(timeout=60_000)
                    size = "phone" if width < 500 else "desktop"
                    page.screenshot(path=folder / f"satellite-{name}-{scheme}-{size}.png")
                    page.close()
                browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
