"""Where a site is found, whatever address it listens on."""

import pytest

from fateflow.settings import Settings


@pytest.mark.parametrize(
    ("listens_on", "url"),
    [
        ("", "http://127.0.0.1:9380"),
        ("0.0.0.0", "http://127.0.0.1:9380"),
        ("::", "http://127.0.0.1:9380"),
        ("::1", "http://[::1]:9380"),
        ("10.1.2.3", "http://10.1.2.3:9380"),
    ],
)
def test_a_site_is_asked_at_the_address_it_listens_on(listens_on, url):
    assert Settings(home="home", host=listens_on).url == url
