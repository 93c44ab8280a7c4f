"""Output data, reports and downloads, wide tables and large forests (scenarios 17 and 30)."""

from __future__ import annotations

import csv
import io
import logging
import re
import struct
import tarfile
import time
import zipfile
import zlib

from playwright.sync_api import Page, expect

from fateboard.testing import scripted_jobs as jobs
from tests.browser.conftest import Live, Shown, address
from tests.browser.drawn import block, rows, until
from tests.browser.shown_flow import COLUMNS, ROWS, SHOWN

LOG = logging.getLogger(__name__)
FIRST_CONTENT_S = 10
"""Far more than the second it takes on an idle machine; what it took is printed."""


def files_of(page: Page, name: str) -> dict[str, bytes]:
    """Of the archive that a link or button saves."""
    with page.expect_download() as download:
        page.get_by_role("button", name=name).or_(page.get_by_role("link", name=name)).click()
    saved = download.value
    if saved.suggested_filename.endswith(".zip"):
        with zipfile.ZipFile(saved.path()) as archive:
            assert archive.testzip() is None
            return {info: archive.read(info) for info in archive.namelist()}
    with tarfile.open(saved.path()) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]


def test_output_data_of_three_wide_tables(shown: Shown) -> None:
    page = shown.open("split_wide", tab="data")
    expect(page.get_by_text(f"100 of {ROWS} rows shown, {COLUMNS} columns")).to_be_visible()
    table = page.locator(".dt")
    until(lambda: rows(table)[2][:3], ["id2", "2", "2.001"])
    box = table.locator(".dt-scroll")
    box.evaluate("box => box.scrollTo(box.scrollWidth, 600)")
    expect(page.get_by_role("columnheader", name="predict_detail")).to_be_visible()
    expect(page.get_by_role("cell", name="{ cat: 0.25, dog: 0.75 }").first).to_be_visible()
    frozen = table.locator("td.is-frozen", has_text="id25")
    expect(frozen).to_be_in_viewport()
    assert page.locator("td").count() < 3_000, "only what is in sight is drawn"
    page.get_by_role("combobox", name="Table").select_option(label="test")
    expect(page.get_by_role("button", name="CSV")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="All rows (tar.gz)").click()
    assert download.value.suggested_filename.endswith(".tar.gz")
    with tarfile.open(download.value.path()) as tar:
        assert sorted(tar.getnames()) == ["test.csv", "train.csv", "validate.csv"]
        lines = tar.extractfile("train.csv").read().decode().splitlines()  # type: ignore[union-attr]
    assert len(lines) == ROWS + 1


def test_output_data_of_a_real_job(live: Live) -> None:
    page = live.page("details", live.job("linear"), component="intersection_0", tab="data")
    said = page.locator(".data-shown")
    expect(said).to_contain_text(re.compile(r"100 of \d+ rows"))
    total = int(re.search(r"of (\d+)", said.inner_text().replace(",", ""))[1])  # type: ignore[index]
    assert rows(page.locator(".dt"))
    files = files_of(page, "All rows (tar.gz)")
    (data,) = [content for name, content in files.items() if name.endswith(".csv")]
    assert len(list(csv.reader(io.StringIO(data.decode())))) == total + 1


def pixels(png: bytes) -> set[bytes]:
    """Some of the decompressed picture: one value only if it is blank."""
    assert png.startswith(b"\x89PNG")
    at, packed = 8, b""
    while at < len(png):
        (size,), kind = struct.unpack(">I", png[at : at + 4]), png[at + 4 : at + 8]
        packed += png[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
        at += size + 12
    raw = zlib.decompress(packed)
    return {raw[place : place + 4] for place in range(0, len(raw), 997)}


def test_the_report_has_the_same_numbers_and_pictures(shown: Shown) -> None:
    page = shown.open("evaluation_0")
    chart = block(page, "performance").locator("canvas").first
    expect(chart).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Report").click()
    assert download.value.suggested_filename == f"{SHOWN}_evaluation_0.zip"
    with zipfile.ZipFile(download.value.path()) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    scores = list(csv.reader(io.StringIO(files["evaluation_scores.csv"].decode("utf-8-sig"))))
    assert ["0.5", "hetero_lr_0", "train", "0.95"] in [row[:4] for row in scores]
    pictures = [content for name, content in files.items() if name.endswith(".png")]
    assert pictures
    assert all(len(pixels(content)) > 4 for content in pictures)


def test_a_report_defuses_formulas(shown: Shown) -> None:
    page = shown.open("hostile_0")
    expect(block(page, "weights")).to_be_visible()
    files = files_of(page, "Report")
    texts = [content.decode("utf-8-sig") for name, content in files.items() if ".csv" in name]
    first = [row[0] for text in texts for row in csv.reader(io.StringIO(text)) if row]
    assert "'=HYPERLINK(1)" in first
    assert "'+1+1" in first
    assert not [text for text in first if re.match(r"[=+@]", text)]


def test_graph_and_settings_are_saved(live: Live) -> None:
    job = live.job("linear")
    page = live.page("dashboard", job)
    base = f"{live.url}/api/v1/jobs/{job}"
    dsl = page.request.get(f"{base}/guest/9999/dsl")
    assert "attachment" in dsl.headers["content-disposition"]
    assert "hetero_lr_0" in dsl.json()["components"]
    guest = page.request.get(f"{base}/guest/9999/conf").json()
    host = page.request.get(f"{base}/host/10000/conf").json()
    assert "guest" in guest["component_parameters"]["role"]
    assert "guest" not in host["component_parameters"]["role"]


def first_seen(page: Page, url: str, selector: str) -> float:
    """Seconds from asking for a page of the open board until something is there."""
    began = time.monotonic()
    page.evaluate("url => { location.hash = url }", url)
    page.wait_for_selector(selector)
    return time.monotonic() - began


def test_five_hundred_trees_and_two_thousand_columns_come_at_once(shown: Shown) -> None:
    page = shown.page(address("dashboard", jobs.BIG))
    expect(page.locator(".dag-node").first).to_be_visible()
    name = "heterosecureboost_0"
    trees = first_seen(page, address("details", jobs.BIG, component=name), ".forest button")
    expect(page.locator(".forest button")).to_have_count(jobs.BIG_TREES)
    page.wait_for_selector('[data-node="0"]')
    wide = first_seen(
        page, address("details", jobs.BIG, component=name, tab="data"), ".dt tbody td"
    )
    expect(page.get_by_text(f"100 of {ROWS} rows shown, 2,001 columns")).to_be_visible()
    assert page.locator("td").count() < 2_000, "only what is in sight is drawn"
    LOG.info("500 trees after %.2f s, 2,000 columns after %.2f s", trees, wide)
    assert trees < FIRST_CONTENT_S
    assert wide < FIRST_CONTENT_S
    began = time.monotonic()
    page.locator(".dt-scroll").evaluate("box => box.scrollTo(box.scrollWidth, 0)")
    expect(page.get_by_role("columnheader", name="x1999")).to_be_visible()
    assert time.monotonic() - began < FIRST_CONTENT_S
