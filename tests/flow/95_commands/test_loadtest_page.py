"""The page of portico loadtest: well-formed, complete in itself, with the numbers of the JSON report."""
import html.parser
import re

import pytest

from lib.upstream import answers, ok, respond

VOID = {"meta", "br"}


class Page(html.parser.HTMLParser):
    """Its elements, with a complaint about every tag that is not closed where it should be."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.rows, self.texts, self.ids = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.elements.append((tag, attributes))
        if "id" in attributes:
            assert attributes["id"] not in self.ids
            self.ids.append(attributes["id"])
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data):
        self.texts.append(data)
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def all(self, tag):
        return [attributes for each, attributes in self.elements if each == tag]


@pytest.fixture
def page(loadtest, upstream, tmp_path):
    """page(script, arguments...) runs a test; gives it and its page."""
    def run(script, *arguments):
        server = upstream(script, keep=False)
        test = loadtest(f"http://{server.address}/", *arguments, "--html", tmp_path / "page.html")
        return test, Page((tmp_path / "page.html").read_text())
    return run


def test_numbers_are_those_of_the_json(page):
    test, seen = page(answers(ok(b"x" * 1000), respond(404)), "--mix", "/a=3,/b=1", "--rate", "80/s", "--duration", "1s",
                      "--connections", 1)
    rows = {row[0]: row for row in seen.rows}
    assert [row[2:5] for row in (rows["/a"], rows["/b"], rows["all requests"])] == [
        [str(line["good"]), f"{line['good']:.1f}", str(line["error_count"])]
        for line in (test.line("/a"), test.line("/b"), test.all)]
    assert rows["4xx"][1] == "79" and rows["/a"][5] == "1000B"
    assert rows["rate"] == ["rate", "80/s"] and rows["loop"] == ["loop", "open"]
    intervals = [row for row in seen.rows if re.fullmatch(r"\d+\.\d\d s", row[0])]
    assert [int(row[1]) + int(row[2]) for row in intervals] == [
        interval["good"] + interval["errors"] for interval in test.report["intervals"]]


def test_it_needs_nothing_but_itself(page):
    _, seen = page(answers(ok()))
    assert not seen.all("script") and not seen.all("link") and not seen.all("img")
    assert not [attributes for _, attributes in seen.elements if {"src", "href", "style"} & attributes.keys()]
    assert "url(" not in "".join(seen.texts) and "@import" not in "".join(seen.texts)
    assert any(attributes.get("http-equiv") == "Content-Security-Policy" for attributes in seen.all("meta"))


def test_it_can_be_read_without_seeing_it(page):
    _, seen = page(answers(ok()))
    assert seen.all("html")[0]["lang"] == "en" and len(seen.all("h1")) == 1 and len(seen.all("main")) == 1
    pictures = [attributes for attributes in seen.all("svg") if "aria-hidden" not in attributes]
    assert len(pictures) == 3
    for picture in pictures:
        assert picture["role"] == "img" and set(picture["aria-labelledby"].split()) <= set(seen.ids)
    assert all("scope" in attributes for attributes in seen.all("th"))
    for attributes in seen.all("div"):
        assert attributes.get("class") != "scroll" or {"tabindex", "aria-label", "role"} <= attributes.keys()


def test_what_is_asked_for_is_no_markup(page):
    name = "/<b>&\"'"
    test, seen = page(answers(ok()), "--mix", name, "--expect", "<i>")
    assert not seen.all("b") and not seen.all("i")
    assert test.report["lines"][0]["name"] == name and [name] == [row[0] for row in seen.rows if row[0].startswith("/")]
    assert ["expect", "<i>"] in seen.rows


def test_verdicts_and_notes_stand_at_the_top(page):
    test, seen = page(answers(ok()), "--fail-if", "p99>1us,errors>0")
    assert (test.code, seen.texts.count("Failed:"), seen.texts.count("Passed:")) == (1, 1, 0)
    assert f" {test.report['broken'][0]}" in seen.texts
    _, seen = page(answers(ok()), "--fail-if", "errors>0")
    assert (seen.texts.count("Failed:"), seen.texts.count("Passed:")) == (0, 1)


def test_nothing_was_answered(page):
    """Empty pictures are pictures, too."""
    def silent(connection):
        connection.request()
        connection.request()
    test, seen = page(silent, "--timeout", "100ms", "--rate", "5/s", "--duration", "1s")
    assert (test.all["good"], test.errors) == (0, {"timeout": 5})
    assert [attributes for attributes in seen.all("path") if "nan" in attributes["d"] or "inf" in attributes["d"]] == []


def test_a_page_that_cannot_be_written(loadtest, upstream):
    """Which is said before the test, not at its end."""
    server = upstream(answers(ok()))
    test = loadtest(f"http://{server.address}/", "--html", "/nonexistent/page.html")
    assert test.code == 2 and server.requests == [] and "/nonexistent/page.html: No such file or directory" in test.complaints
