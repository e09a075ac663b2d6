"""The providers' stand-ins, with credentials where the clients keep them."""

import base64

import providers
import pytest

from tamflux.download import cds, fetch


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch, tmp_path):
    """Tries follow each other at once; no credentials but those of a test are seen."""
    monkeypatch.setattr(cds, "WAIT", 0.01)
    monkeypatch.setattr(cds, "TRIES", 3)
    monkeypatch.setattr(fetch, "FIRST_WAIT", 0.01)
    for name in ("CDSAPI_URL", "CDSAPI_KEY", "CDSAPI_RC", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))


@pytest.fixture
def store(tmp_path, no_waiting):
    """The data store, and ~/.cdsapirc."""
    with providers.running(providers.DataStore) as server:
        server.folder = tmp_path / "store"
        text = f"url: http://127.0.0.1:{server.server_port}/api\nkey: {providers.KEY}\n"
        (tmp_path / "home" / ".cdsapirc").write_text(text)
        yield server


@pytest.fixture
def earthdata(tmp_path, no_waiting, monkeypatch):
    """Earthdata's catalogue; its `system` names the hosts; and ~/.netrc."""
    from earthaccess.system import System

    authority = providers.new_authority()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    with (
        providers.running(providers.Login, authority) as login,
        providers.running(providers.Catalogue) as server,
    ):
        host = f"localhost:{login.server_port}"
        netrc = tmp_path / "home" / ".netrc"
        lines = [  # earthaccess looks for the host with its port, requests without
            f"machine {name} login tester password {providers.PASSWORD}\n"
            for name in (host, "localhost")
        ]
        netrc.write_text("".join(lines))
        netrc.chmod(0o600)
        pair = base64.b64encode(f"tester:{providers.PASSWORD}".encode()).decode()
        login.expected = f"Basic {pair}"
        url = f"http://127.0.0.1:{server.server_port}/search/"
        server.system = System(url, "", "", host)
        yield server
