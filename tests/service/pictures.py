"""Pictures of the page for the documents: `python -m tests.service.pictures MODELS RUN FOLDER`."""

import sys
import tempfile
import time
from pathlib import Path

from conv4rec.service.settings import make_settings
from tests.service.browsers import Browser, browser
from tests.service.servers import served

USER = 196
SIZES = {"page-light": (1280, 1560, False), "page-dark": (1280, 1560, True), "page-phone": (390, 1400, False)}
WITH_REASONS = "page-light"


def main(models: Path, run: Path, folder: Path) -> None:
    """Take all of them, of a user some of whose ratings were changed."""
    with tempfile.TemporaryDirectory() as place:
        store = f"sqlite:///{place}/store.db"
        with served(make_settings(models=(models,), records=run, store=store, device="cpu")) as client:
            for name, (width, height, dark) in SIZES.items():
                with browser(width=width, height=height, dark=dark) as page:
                    take(page, f"{client.base_url}/page/?user={USER}", folder / name, dark=dark)


def take(page: Browser, address: str, path: Path, *, dark: bool) -> None:
    """The beginning of the page, in dark the parts below; of one the reasons for a treasure and the models, too."""
    page.driver.get(address)
    page.one("#profile .card")
    for row in page.all("#history-rows li")[:3]:
        row.find_element("css selector", "label:first-child").click()
    page.one("ol .moved")
    page.settled()
    page.run(f"scrollTo(0, document.getElementById('{'map' if dark else 'person'}').offsetTop - 60)")
    time.sleep(0.3)  # until it is painted
    page.driver.save_screenshot(str(path.with_suffix(".png")))
    if path.name == WITH_REASONS:
        page.one("ol[data-order=discover] button.title").click()
        page.one("#why .pair.reason")
        time.sleep(0.3)
        page.driver.save_screenshot(str(path.with_name(f"{path.name}-why.png")))
        page.driver.switch_to.active_element.send_keys("\ue00c")
        page.run("scrollTo(0, document.getElementById('models').offsetTop - 60)")
        time.sleep(0.3)
        page.driver.save_screenshot(str(path.with_name("page-models.png")))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
