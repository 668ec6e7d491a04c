"""The page at /: from this server alone, with nothing inline."""

import re

import pytest

from tests.unit.moviola_api.conftest import Api


async def test_the_page_and_its_files_are_served_under_a_strict_policy(api: Api) -> None:
    async with api.http.get("/") as answer:
        page = await answer.text()

    policy = answer.headers["Content-Security-Policy"]
    assert answer.content_type == "text/html"
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for address in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert address.startswith("/static/")
        async with api.http.get(address) as answer:
            assert answer.status == 200


async def test_the_page_has_no_inline_script_or_style_and_names_no_other_host(api: Api) -> None:
    texts = []
    for address in ("/", "/static/app.js", "/static/style.css"):
        async with api.http.get(address) as answer:
            texts.append(await answer.text())

    assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*\ssrc=)", texts[0])
    assert not any(re.search(r"https?://", text) for text in texts)


@pytest.mark.parametrize("name", ["index.html", "..%2Fstyle.css", "%2e%2e%2fpyproject.toml", "none.js"])
async def test_only_the_pages_own_files_are_served(api: Api, name: str) -> None:
    await api.get(f"/static/{name}", status=404)
