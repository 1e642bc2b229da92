"""A page in a real browser, as the browser tests use it."""

from __future__ import annotations

TIMEOUT = 180_000  # milliseconds, on a busy machine


class BrowserPage:
    """A page in the browser, with the console messages and the requests of the file that is open in it."""

    def __init__(self, browser, **context):
        self.context = browser.new_context(**{"viewport": {"width": 1400, "height": 900}, **context})
        self.context.set_default_timeout(TIMEOUT)
        self.page = self.context.new_page()
        self.messages, self.requests = [], []
        self.page.on("console", lambda m: self.messages.append(f"{m.type}: {m.text}"))
        self.page.on("pageerror", lambda e: self.messages.append(f"error: {e}"))
        self.page.on("request", lambda r: self.requests.append(r.url))
        self.page.add_init_script(
            "window.shifts = []; new PerformanceObserver((list) => { for (const e of list.getEntries())"
            " if (!e.hadRecentInput) window.shifts.push(e.value); }).observe({type: 'layout-shift', buffered: true});"
        )

    def open(self, file, address=""):
        """Open a file, also if a part of the same file was open before; return this page."""
        self.page.goto("about:blank")
        self.page.emulate_media(media="null")
        self.messages, self.requests = [], []
        self.page.goto(file.as_uri() + address)
        self.wait_until_ready()
        return self

    def wait_until_ready(self):
        self.page.wait_for_selector("html[data-ready=yes]")

    def draw_all(self):
        """Scroll through the page until each chart is drawn.

        It scrolls again while it waits: a smooth scroll that is still under way moves the page on.
        """
        self.page.evaluate(
            "async () => { for (const f of advisor.charts.figures) for (let i = 0; i < 9000 && (!i || f.dirty); i++) {"
            " f.box.scrollIntoView({behavior: 'instant'}); if (f.dirty) await new Promise((r) => setTimeout(r, 20)); }"
            " window.scrollTo({top: 0, behavior: 'instant'}); }"
        )
        assert self.page.evaluate("advisor.charts.figures.filter((f) => f.dirty).map((f) => f.id)") == []

    def text(self, selector):
        return " ".join(self.page.inner_text(selector).split())

    def slide(self, selector, value):
        self.page.eval_on_selector(
            selector,
            "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', {bubbles: true})); }",
            value,
        )
