"""The page of portico loadtest in Chromium: light and dark, on a wide and a narrow screen, with the keyboard alone."""
import subprocess

import pytest

from lib.ports import free_port
from lib.tls import DEVELOPMENT, example
from lib.wait import BINARY
from webdriver import Browser

TAB, ENTER = "\ue004", "\ue007"

# Colours as they are painted, and the contrast of each text and each drawn line with what lies behind it (WCAG 2.2, 1.4.3, 1.4.11).
CONTRASTS = """
const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
const parts = colour => colour.match(/[0-9.]+/g).map(Number)
const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2])
const behind = element => {
    for (; element; element = element.parentElement) {
        const colour = parts(getComputedStyle(element).backgroundColor)
        if (colour.length < 4 || colour[3] > 0) return colour
    }
    return [255, 255, 255]
}
const contrast = (colour, element) => {
    const [a, b] = [light(parts(colour)), light(behind(element))].sort((x, y) => y - x)
    return (a + 0.05) / (b + 0.05)
}
const found = []
const all = selector => [...document.querySelectorAll(selector)]
for (const e of all('h1, h2, p, dt, dd, td, th, li, summary, figcaption, code'))
    found.push([e.tagName, contrast(getComputedStyle(e).color, e), 4.5])
for (const e of all('svg text')) found.push(['text', contrast(getComputedStyle(e).fill, e), 4.5])
for (const e of all('path.line, .mark')) found.push([e.getAttribute('class'), contrast(getComputedStyle(e).stroke, e), 3])
for (const e of all('rect')) found.push([e.getAttribute('class'), contrast(getComputedStyle(e).fill, e), 3])
return found.filter(([what, ratio, least]) => !(ratio >= least))
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loadtest")
    config, page = folder / "portico.yaml", folder / "report.html"
    config.write_text(f"""
process: {{ threads: 1 }}
listen: ["127.0.0.1:{free_port()}"]
upstreams: {{ api: "127.0.0.1:1", web: "127.0.0.1:1" }}
sites: [{{ hosts: [shop.test], routes: [{{ prefix: /api, upstream: api }}, {{ prefix: /, upstream: web }}] }}]
""")
    arguments = ["--try", "--mix", "/api=2,h2:/=2,ws:/chat,sse:/events=2", "--rate", "200/s", "--warmup", "0s", "--duration", "3s",
                 "--reload-every", "1s", "--kill-upstream", "api", "--fail-if", "errors>0", "--html", page]
    subprocess.run([BINARY, "loadtest", "--config", config, *arguments], capture_output=True, timeout=60, check=False)
    return page


@pytest.fixture(scope="module")
def chromium(page, tmp_path_factory):
    example("starmeet.yaml")
    browser = Browser(tmp_path_factory.mktemp("chromium"), DEVELOPMENT.ca, [("nowhere.test", "127.0.0.1")])
    yield browser
    browser.stop()
    assert browser.processes() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360])
def test_it_fits_and_can_be_read(chromium, page, scheme, width):
    chromium.emulate(scheme, width)
    chromium.open(page.as_uri())
    assert chromium.script("return document.documentElement.scrollWidth <= innerWidth")
    assert chromium.script(CONTRASTS) == []
    dark = chromium.script("return getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
    assert dark == (scheme == "dark")


def test_it_loads_nothing(chromium, page):
    chromium.open(page.as_uri())
    assert chromium.script("return performance.getEntriesByType('resource').length") == 0


def test_the_pictures_show_what_happened(chromium, page):
    chromium.emulate("light", 1200)
    chromium.open(page.as_uri())
    assert chromium.script("return document.querySelectorAll('svg[role=img]').length") == 3
    shapes = chromium.script("""return [...document.querySelectorAll('svg[role=img]')].map(svg => ({
        width: svg.getBoundingClientRect().width, height: svg.getBoundingClientRect().height,
        lines: [...svg.querySelectorAll('path.line')].map(path => path.getBBox().width),
        marks: [...svg.querySelectorAll('.mark title')].map(title => title.textContent),
        bad: svg.querySelectorAll('rect.bad').length}))""")
    latency, rates, percentiles = shapes
    assert all(shape["width"] > 700 and shape["height"] > 100 for shape in shapes)
    assert len(latency["lines"]) == 2 and min(latency["lines"]) > 600  # p50 and p99, from end to end
    assert latency["marks"] == rates["marks"] and [mark.split(": ")[1] for mark in latency["marks"]].count("reload") == 2
    assert {"api is gone", "api is back"} <= {mark.split(": ")[1] for mark in latency["marks"]}
    assert rates["bad"] == latency["bad"] > 5
    assert len(percentiles["lines"]) == 4  # h1, h2, ws, sse
    inside = chromium.script("""return [...document.querySelectorAll('svg[role=img] text')].every(text => {
        const box = text.getBoundingClientRect(), frame = text.ownerSVGElement.getBoundingClientRect()
        return box.left >= frame.left - 1 && box.right <= frame.right + 1 && box.bottom <= frame.bottom + 1 })""")
    assert inside


def test_the_keyboard_reaches_everything(chromium, page):
    chromium.emulate("light", 360)
    chromium.open(page.as_uri())
    reached = []
    for _ in range(30):
        chromium.press(TAB)
        reached.append(chromium.script("return document.activeElement.ariaLabel ?? document.activeElement.textContent"))
        if reached[-1] == "Parameters":
            break
        if reached[-1] == "Every interval":
            chromium.press(ENTER)
            assert chromium.script("return document.querySelector('details').open")
    assert reached == ["Latency over time", "Answers and errors per second", "Latency by percentile", "By route", "Errors",
                       "Every interval", "The time line in numbers", "Parameters"]
