"""The page of `advisor rank --from FILE --format html` in a browser: readable, accessible, and without requests."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from typer.testing import CliRunner

from advisor.cli import app, load

load(None)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dependencies")
    (folder / "requirements.txt").write_text("flask\ntorchtune\npolars\nsomebody-s-tool\n")
    file = folder / "page.html"
    command = ["rank", "--from", str(folder / "requirements.txt"), "--store", "bundled", "--fail-under", "60"]
    assert CliRunner().invoke(app, [*command, "--format", "html", "-o", str(file)]).exit_code == 4
    return file.as_uri()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_fits_and_is_accessible(chromium, address, width, scheme):
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    requests, problems = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: problems.append(message.text))
    page.goto(address)
    assert page.locator("tbody th").first.inner_text().startswith("torchtune"), "the riskiest is first"
    assert page.locator("tr", has_text="torchtune").locator(".fails").count() == 1
    assert page.get_by_text("1 without a score").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("circle").first.bounding_box()["width"] > 4
    assert (requests, problems) == ([address], [])
    violations = Axe().run(page).response["violations"]
    assert [v["id"] for v in violations] == []
    context.close()
