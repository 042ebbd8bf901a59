"""A real browser without a window, and what it saw: Debian's chromium, driven by its own chromedriver."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 30.0
"""Seconds to wait for something on the page; the machine may be busy."""
PROGRAMS = ("chromium", "chromedriver")
LACKING = "needs a browser: apt-get install chromium chromium-driver"
QUIET = (
    "--headless=new",
    "--no-sandbox",  # there is none for root
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--hide-scrollbars",
)


def missing() -> bool:
    """Whether this machine has no chromium, or no driver for it."""
    return any(shutil.which(program) is None for program in PROGRAMS)


@contextmanager
def browser(*, width: int = 1280, height: int = 1000, dark: bool = False) -> Iterator["Browser"]:
    """A browser of its own, closed at the end."""
    options = ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for word in (*QUIET, f"--window-size={width},{height}"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    driver = Chrome(options, Service(str(shutil.which("chromedriver")), env=environment))
    try:
        driver.execute_cdp_cmd("Network.enable", {})
        told = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in told.items()]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        yield Browser(driver)
    finally:
        driver.quit()


class Browser:
    """What a person would do with it."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def all(self, selector: str) -> list[WebElement]:
        """All elements that a CSS selector finds."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        """The first such element that can be seen, as soon as there is one."""

        def seen(_: Chrome) -> WebElement | None:
            return next((each for each in self.all(selector) if each.is_displayed()), None)

        found: WebElement = self.until(seen, f"nothing to be seen of {selector}")
        return found

    def until(self, done: Any, otherwise: str) -> Any:
        """What `done(driver)` gives, as soon as it is true; elements that have gone meanwhile are looked for again."""
        from selenium.common.exceptions import StaleElementReferenceException

        waiting = WebDriverWait(self.driver, PATIENCE, 0.02, (StaleElementReferenceException,))
        return waiting.until(done, otherwise)

    def run(self, script: str, *arguments: Any) -> Any:
        """The value of JavaScript."""
        return self.driver.execute_script(script, *arguments)

    def settled(self) -> None:
        """Wait until the answers to the last change are shown."""
        self.until(lambda _: self.run("return !document.querySelector('main').ariaBusy"), "still busy")

    def complaints(self) -> list[str]:
        """What the console has that is worse than a remark."""
        return [line["message"] for line in self.driver.get_log("browser") if line["level"] in ("SEVERE", "WARNING")]  # type: ignore[no-untyped-call]

    def requested(self) -> set[str]:
        """All addresses that were asked for since this was called last."""
        lines = [json.loads(line["message"])["message"] for line in self.driver.get_log("performance")]  # type: ignore[no-untyped-call]
        return {line["params"]["request"]["url"] for line in lines if line["method"] == "Network.requestWillBeSent"}
