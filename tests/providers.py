"""Stand-ins of the Climate Data Store and of NASA's Earthdata on this machine, for tests.

They speak as much of the real protocols as the real clients (`cdsapi`, `earthaccess`) ask for: the
data store's REST API of processes, jobs and results; Earthdata Login, the catalogue's search for
granules and a file server. Faults are scripted: each request for data takes one from `faults`.
"""

import hashlib
import json
import ssl
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import numpy as np
import trustme
from era5_writer import write_era5

KEY = "secret-key-of-a-test"
PASSWORD = "secret-password-of-a-test"
LICENCE = "required licences not accepted; please visit the page of the data set"
EULA = "You must accept the EULA of this data set"


class Provider(BaseHTTPRequestHandler):
    """What both have in common: JSON, files with ranges, faults."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, status, content=None, headers=()):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_file(self, body):
        """A file, or from a byte on; or what the next fault makes of it."""
        start = int(self.headers.get("Range", "bytes=0-")[6:].rstrip("-"))
        if self.command == "GET":
            self.server.asked.append(start)
            fault = self.server.faults.pop(0) if self.server.faults else None
            if isinstance(fault, int):
                return self.reply(fault, EULA.encode() if fault == 403 else b"")
            if fault == "damage":
                body = body[:-1] + bytes([body[-1] ^ 255])
            if fault == "short":
                body = body[: len(body) // 2]
            if fault == "cut":
                self.send_response(200)
                self.send_header("Content-Length", str(len(body) - start))
                self.end_headers()
                self.wfile.write(body[start : start + (len(body) - start) // 2])
                self.close_connection = True
                return None
        status = 206 if start else 200
        return self.reply(status, body[start:], {"Accept-Ranges": "bytes"})


class DataStore(Provider):
    """The Climate Data Store: a request becomes a job, the job a file."""

    def do_GET(self):
        path = urlparse(self.path).path
        if path.startswith("/object/"):
            return self.send_file(self.server.files[path])
        if path.endswith("/messages"):
            return self.reply(200, {"messages": []})
        if self.headers.get("PRIVATE-TOKEN") != KEY:
            return self.reply(401, {"title": "authentication failed", "detail": "unknown key"})
        base, parts = f"http://{self.headers['Host']}", path.split("/")
        if path.endswith("/results"):
            name = f"/object/{parts[-2]}.nc"
            size = len(self.server.files[name]) + self.server.lie
            asset = {"href": base + name, "file:size": size, "type": "application/netcdf"}
            return self.reply(200, {"asset": {"value": asset}})
        if "jobs" in parts:
            links = [{"rel": "results", "href": f"{base}{path}/results"}]
            return self.reply(200, {"status": "successful", "links": links, "metadata": {}})
        return self.reply(200, {"id": parts[-1], "links": []})

    do_HEAD = do_GET

    def do_POST(self):
        size = int(self.headers["Content-Length"])
        request = json.loads(self.rfile.read(size))["inputs"]
        if self.server.busy:
            self.server.busy -= 1
            return self.reply(503, {"title": "busy"})
        if not self.server.licence:
            return self.reply(403, {"title": LICENCE, "detail": LICENCE, "status": 403})
        self.server.requests.append(request)
        with self.server.lock:
            self.server.now += 1
            self.server.most = max(self.server.most, self.server.now)
        job = str(len(self.server.files))
        path = self.server.folder / f"{job}.nc"
        answer(request, path, self.server.noise)
        self.server.files[f"/object/{job}.nc"] = path.read_bytes()
        time.sleep(self.server.pause)
        with self.server.lock:
            self.server.now -= 1
        url = f"http://{self.headers['Host']}/api/retrieve/v1/jobs/{job}"
        links = [{"rel": "monitor", "href": url}]
        return self.reply(201, {"jobID": job, "status": "accepted", "links": links})


FIELDS = {
    "2m_temperature": ("t2m", 288.0), "2m_dewpoint_temperature": ("d2m", 282.0),
    "surface_solar_radiation_downwards": ("ssrd", 120.0 * 3600),
    "surface_thermal_radiation_downwards": ("strd", 320.0 * 3600),
    "total_precipitation": ("tp", 1e-4), "volumetric_soil_water_layer_1": ("swvl1", 0.3),
    "surface_pressure": ("sp", 1e5), "10m_u_component_of_wind": ("u10", 3.0),
    "10m_v_component_of_wind": ("v10", 4.0),
}  # fmt: skip
"""Name in the file and a plausible value of each variable of the store; sums are of an hour."""


WRITING = threading.Lock()
"""The NetCDF library crashes when two threads write at once."""


def answer(request, path, noise=0.0):
    """The file that a request asks for, 2 degrees between nodes; one value a time but for `noise`,
    which makes large files."""
    (long_name,) = request["variable"]
    name, value = FIELDS[long_name]
    statistic = request.get("daily_statistic", "")
    value += {"daily_minimum": -5, "daily_maximum": 5}.get(statistic, 0)
    since_midnight = "product_type" not in request and request["time"] == ["00:00"]
    value *= 24 if statistic == "daily_sum" or since_midnight else 1
    hours = [int(text[:2]) for text in request.get("time", ["00:00"])]
    stamps = []
    for month in request["month"]:
        for day in request["day"]:
            try:
                date = np.datetime64(f"{request['year']}-{month}-{day}")
            except ValueError:
                continue  # 30 February, as the store does
            stamps += [date.astype("datetime64[h]") + hour for hour in hours]
    north, west, south, east = request.get("area", [90, 0, -90, 358])
    lat, lon = np.arange(north, south - 0.1, -2.0), np.arange(west, east + 0.1, 2.0)
    field = np.random.default_rng(0).normal(value, noise, (len(stamps), len(lat), len(lon)))
    date = np.array(stamps, "datetime64[D]")
    day = (date - date.astype("datetime64[Y]")).astype(int)[:, None, None]
    weather = -abs(value) / 100 * np.cos(2 * np.pi * (day - 15) / 365)  # as in the north
    with WRITING:
        how = statistic.removeprefix("daily_")[:4].removesuffix("i")
        return write_era5(path, {name: field + weather}, stamps, lat, lon, how=how)


class Catalogue(Provider):
    """Earthdata's catalogue and file server."""

    def do_GET(self):
        url = urlparse(self.path)
        if url.path.startswith("/data/"):
            if self.headers.get("Authorization") != "Bearer token-of-a-test":
                return self.reply(401)
            return self.send_file(self.server.files[url.path.rsplit("/", 1)[1]])
        query = parse_qs(url.query)
        product = query["short_name"][0]
        pattern = query.get("readable_granule_name", [product + "."])[0].rstrip("*")
        names = [name for name in self.server.files if name.startswith(pattern)]
        items = [self.granule(name) for name in names]
        return self.reply(200, {"items": items}, {"CMR-Hits": len(items)})

    def granule(self, name):
        body, base = self.server.files[name], f"http://{self.headers['Host']}"
        about = {"Name": name, "SizeInBytes": len(body), "Size": len(body) / 1e6,
                 "Checksum": {"Algorithm": "SHA-512",
                              "Value": hashlib.sha512(body).hexdigest()}}  # fmt: skip
        links = [
            {"Type": "GET DATA", "URL": f"{base}/data/{name}"},
            {"Type": "VIEW RELATED INFORMATION", "URL": f"{base}/data/{name}.xml"},
        ]
        umm = {"GranuleUR": name, "RelatedUrls": links,
               "DataGranule": {"ArchiveAndDistributionInformation": [about]}}  # fmt: skip
        return {"meta": {"concept-id": "G1-LPCLOUD", "provider-id": "LPCLOUD"}, "umm": umm}


class Login(Provider):
    """Earthdata Login: a token for name and password."""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.headers.get("Authorization", "").startswith("Basic "):
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if self.headers["Authorization"] != self.server.expected:
            return self.reply(401, {"error": "invalid_credentials"})
        return self.reply(200, {"access_token": "token-of-a-test", "expiration_date": "01/01/2100"})

    def do_GET(self):
        self.reply(200, {})


@contextmanager
def running(handler, authority=None):
    """A server of one of the above on a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if authority:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.faults, server.asked, server.files, server.requests = [], [], {}, []
    server.busy, server.licence, server.lie, server.pause = 0, True, 0, 0.0
    server.noise = 0.0
    server.lock, server.now, server.most = threading.Lock(), 0, 0
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def new_authority():
    """An authority that signs certificates for this machine."""
    return trustme.CA()
