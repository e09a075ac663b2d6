"""The report in a real browser, opened from disk.

Three pages: a coarse one with hostile names, one of a global 1 degree map with land in its corners,
and the report of the last run, if there is one.
"""

import json
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

pytestmark = pytest.mark.browser

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not (CHROMIUM and DRIVER):
    pytest.skip("chromium and chromium-driver are not installed", allow_module_level=True)

from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402
from test_report_write import HOSTILE, write_page  # noqa: E402

from tamflux.evaluation.metrics import FLUX_NAMES  # noqa: E402
from tamflux.grid import Grid  # noqa: E402

RUN = Path(__file__).parents[3] / "results"
OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
)  # fmt: skip
PHONE = {"width": 390, "height": 800, "deviceScaleFactor": 2, "mobile": True}


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in (*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(DRIVER))
    browser.execute_cdp_cmd("Network.enable", {})
    yield browser
    browser.quit()


def write_fine_product(root):
    """Monthly and annual files of a global 1 degree map; all corners are land."""
    grid, random = Grid(1.0), np.random.default_rng(0)
    lon, lat = np.meshgrid(np.radians(grid.lon), np.radians(grid.lat))
    land = (np.sin(2 * lon) * np.cos(lat) + np.sin(3 * lat + lon) > 0.2).astype(np.float32)
    land[np.ix_([0, -1], [0, -1])] = 1
    (root / "product").mkdir()
    plane, attrs = ("lat", "lon"), {"units": "g m-2 d-1"}
    index = np.where(land > 0, random.uniform(0, 2, land.shape), np.nan)
    cells = {
        "cell_area": grid.cell_area(), "land_fraction": land, "applicability": index / 2,
        "dissimilarity_index": index,
        "quality_flag": np.where(land > 0, random.integers(0, 2, land.shape), -1),
    }  # fmt: skip
    fluxes = {}
    for name in (flux + part for flux in FLUX_NAMES for part in ("", "_std", "_pi90_halfwidth")):
        values = np.where(land > 0, random.uniform(0, 9, (12, *grid.shape)), np.nan)
        fluxes[name] = (("time", *plane), values.astype(np.float32), attrs)
    months = xr.Dataset(fluxes, {"lat": grid.lat, "lon": grid.lon})
    year = months.mean("time", keep_attrs=True).expand_dims("time")
    for step, product in (("monthly", months), ("annual", year)):
        product = product.assign({name: (plane, values) for name, values in cells.items()})
        product.to_netcdf(root / f"product/tamflux_{step}_2001.nc")
    return SimpleNamespace(root=root, grid=grid)


@pytest.fixture(scope="module", params=["coarse", "fine", "of the last run"])
def files(request, tmp_path_factory):
    """A report and the monthly product that it shows."""
    if request.param == "fine":
        planet = write_fine_product(tmp_path_factory.mktemp("fine"))
        return write_page(planet, planet.root), planet.root / "product/tamflux_monthly_2001.nc"
    if request.param == "coarse":
        root = tmp_path_factory.mktemp("page")
        planet = request.getfixturevalue("planet")
        path = write_page(planet, root, site_name=HOSTILE, reference=HOSTILE)
        return path, planet.root / "product/tamflux_monthly_2001.nc"
    path, months = RUN / "report.html", sorted(RUN.glob("product/tamflux_monthly_*.nc"))
    if not path.exists() or len(months) != 1:
        pytest.skip("results/ has no report of a product of one year")
    return path, months[0]


@pytest.fixture
def page(driver, files):
    """The open page and the monthly product."""
    path, monthly = files
    driver.get_log("performance"), driver.get_log("browser")
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.set_window_size(1280, 1000)
    driver.get(path.as_uri())
    WebDriverWait(driver, 60).until(
        lambda d: d.execute_script("return document.getElementById('explorer').dataset.ready")
    )
    with xr.open_dataset(monthly) as product:
        yield driver, product.load()


def part(driver, name):
    return driver.find_element(By.CSS_SELECTOR, f'#explorer [data-part="{name}"]')


def number(driver, name):
    text = part(driver, name).text.replace("−", "-")
    return np.nan if text == "–" else float(text)


def locate(driver, product, row, col):
    """CSS coordinates of the centre of a cell, row from the south, on the map as it is zoomed."""
    canvas = part(driver, "map")
    driver.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", canvas
    )
    time.sleep(0.3)
    box = driver.execute_script("return arguments[0].getBoundingClientRect().toJSON()", canvas)
    lon, lat, scale = map(float, canvas.get_attribute("data-view").split())
    east, north = float(product["lon"][col]) - lon, float(product["lat"][row]) - lat
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    return {"x": x + east * scale, "y": y - north * scale}


def click(driver, product, row, col):
    """Click the centre of a cell, row from the south, as a mouse does."""
    event = {**locate(driver, product, row, col), "button": "left", "clickCount": 1}
    for kind in ("mousePressed", "mouseReleased"):
        driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": kind, **event})


def touch(driver, product, row, col):
    """Touch the centre of a cell."""
    point = locate(driver, product, row, col)
    for kind, points in (("touchStart", [point]), ("touchEnd", [])):
        driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def selected_cell(driver, product):
    """Row and column of the cell that the page shows."""
    return tuple(
        int(np.abs(product[name] - float(part(driver, name).get_attribute("value"))).argmin())
        for name in ("lat", "lon")
    )


def set_month(driver, month):
    driver.execute_script(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))",
        part(driver, "month"),
        month,
    )


def check_numbers(driver, product, row, col, month):
    """The page shows the product of the cell, to the two digits that it prints."""
    cell = product.isel(lat=row, lon=col)
    for flux in ("gpp", "reco", "nee"):
        for name in (flux, f"{flux}_pi90_halfwidth", f"{flux}_std"):
            true = float(cell[name][month - 1])
            assert number(driver, name) == pytest.approx(true, abs=0.0051), name
    for name in ("applicability", "dissimilarity_index"):
        assert number(driver, name) == pytest.approx(float(cell[name]), abs=0.0051, nan_ok=True)
    flag = int(cell["quality_flag"])
    assert part(driver, "quality_flag").text.startswith(f"{flag} (")
    assert ("coast" in part(driver, "quality_flag").text) == bool(flag & 1)
    lat, lon = float(cell["lat"]), float(cell["lon"])
    assert float(part(driver, "lat").get_attribute("value")) == pytest.approx(lat, abs=0.006)
    assert float(part(driver, "lon").get_attribute("value")) == pytest.approx(lon, abs=0.006)


def far_apart_cells(product, n=4):
    rows, cols = np.nonzero(product["land_fraction"].to_numpy() > 0)
    pick = np.linspace(0, len(rows) - 1, n).astype(int)
    return [(int(rows[k]), int(cols[k])) for k in pick]


def test_a_click_shows_the_numbers_of_the_product(page):
    driver, product = page
    for k, (row, col) in enumerate(far_apart_cells(product)):
        month = (1, 7, 12, 4)[k]
        set_month(driver, month)
        click(driver, product, row, col)
        check_numbers(driver, product, row, col, month)
        assert len(part(driver, "chart").find_elements(By.TAG_NAME, "polyline")) == 3
        series = part(driver, "chart").get_attribute("aria-label").replace("−", "-")
        nee = [float(x) for x in series.split("NEE ")[1].split()]
        np.testing.assert_allclose(nee, product["nee"][:, row, col], atol=0.0051)


def test_the_corner_cells_can_be_clicked(page):
    driver, product = page
    last_row, last_col = (n - 1 for n in product["land_fraction"].shape)
    for corner in ((0, 0), (0, last_col), (last_row, 0), (last_row, last_col)):
        click(driver, product, *corner)
        assert selected_cell(driver, product) == corner


def test_water_says_so(page):
    driver, product = page
    row, col = (int(k[0]) for k in np.nonzero(product["land_fraction"].to_numpy() == 0))
    click(driver, product, row, col)
    assert part(driver, "water").is_displayed() and not part(driver, "numbers").is_displayed()


def test_keys_and_coordinates_choose_cells(page):
    driver, product = page
    rows, cols = np.nonzero(product["land_fraction"].to_numpy()[:, :-1] > 0)
    k = len(rows) // 3
    row, col = int(rows[k]), int(cols[k])
    for name, value in (("lat", product["lat"][row]), ("lon", product["lon"][col])):
        part(driver, name).clear()
        part(driver, name).send_keys(f"{float(value):.2f}", Keys.ENTER)
    set_month(driver, 6)
    check_numbers(driver, product, row, col, 6)
    part(driver, "map").send_keys(Keys.ARROW_RIGHT)
    moved = float(part(driver, "lon").get_attribute("value"))
    assert moved == pytest.approx(float(product["lon"][col + 1]), abs=0.006)


@pytest.fixture
def phone(page):
    """The page on a phone."""
    driver, product = page
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    WebDriverWait(driver, 10).until(lambda d: part(d, "map").size["width"] < PHONE["width"])
    time.sleep(0.5)
    yield driver, product
    driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})


def test_a_touch_on_a_phone_shows_the_numbers(phone):
    """The touched cell, or one under the finger; a second touch selects any cell exactly."""
    driver, product = phone
    row, col = far_apart_cells(product)[1]
    side = part(driver, "map").size["width"] / product.sizes["lon"]
    touch(driver, product, row, col)
    shown = selected_cell(driver, product)
    assert np.hypot(shown[0] - row, shown[1] - col) * side <= 1  # CSS pixels, of 390
    set_month(driver, 7)
    check_numbers(driver, product, *shown, 7)
    fine = side < 8
    assert part(driver, "touched").is_displayed() == fine
    if fine:
        assert "nearest to the touch" in part(driver, "touched").text
    exact = row + 2, col + 3
    touch(driver, product, *exact)
    assert selected_cell(driver, product) == exact
    assert not part(driver, "touched").is_displayed()


def test_a_touch_near_a_coast_selects_the_land(phone):
    """The nearest land cell within the reach of a finger, found here by brute force."""
    driver, product = phone
    land = product["land_fraction"].to_numpy() > 0
    side = part(driver, "map").size["width"] / product.sizes["lon"]
    if side >= 8:
        pytest.skip("every cell can be touched exactly")
    rows, cols = np.nonzero(land)
    gap = np.full(land.shape, np.inf)
    for row, col in np.argwhere(~land):
        gap[row, col] = np.hypot(rows - row, cols - col).min() * side
    for low, high, water in ((3, 9, False), (15, np.inf, True)):
        row, col = np.argwhere((gap > low) & (gap < high) & ~land)[0]
        driver.refresh()
        WebDriverWait(driver, 60).until(lambda d: part(d, "map").get_attribute("data-view"))
        touch(driver, product, row, col)
        shown = selected_cell(driver, product)
        reached = np.hypot(shown[0] - row, shown[1] - col) * side
        assert reached == pytest.approx(0 if water else gap[row, col], abs=1)
        assert land[shown] != water
        assert part(driver, "water").is_displayed() == water
        assert ("no land near" in part(driver, "touched").text) == water


def test_a_phone_needs_no_moving_sideways(page):
    driver, _ = page
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    driver.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    wide = driver.execute_script("return document.documentElement.scrollWidth")
    assert wide <= PHONE["width"]


def test_the_series_of_a_tower_are_drawn(page):
    driver, _ = page
    found = driver.find_elements(By.CSS_SELECTOR, '#tower-series [data-part="tower"]')
    if not found:
        pytest.skip("this run adapted no tower")
    chosen = Select(found[0])
    last = len(chosen.options) - 1
    chosen.select_by_index(last)
    chart = driver.find_element(By.CSS_SELECTOR, '#tower-series [data-part="chart"]')
    assert chosen.options[last].text in chart.get_attribute("aria-label")
    for flux in FLUX_NAMES:
        line = chart.find_element(By.CSS_SELECTOR, f'[data-line="{flux}_adapted"]')
        assert line.get_attribute("d").count("L") > 50 and "NaN" not in line.get_attribute("d")
    words = driver.find_element(By.CSS_SELECTOR, '#tower-series [data-part="scores"]').text
    assert words.startswith("Adapted with ") and "zero-shot" in words


def test_every_layer_is_drawn_in_its_colours(page):
    driver, _ = page
    pictures = set()
    for option in Select(part(driver, "layer")).options:
        option.click()
        url = driver.execute_script("return arguments[0].toDataURL()", part(driver, "map"))
        pictures.add(url)
        assert part(driver, "map").get_attribute("aria-label").startswith("Map of ")
    assert len(pictures) == 12
    assert "coast" in part(driver, "legend").text


def test_heads_sort_and_classes_filter(page):
    driver, _ = page
    driver.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    (table,) = (
        t
        for t in driver.find_elements(By.CSS_SELECTOR, "#towers details table")
        if "All towers" in t.text
    )
    rows = table.find_elements(By.CSS_SELECTOR, "tbody tr")
    if len(rows) < 3:
        return
    head = table.find_elements(By.CSS_SELECTOR, "thead button")[3]
    for order in ("ascending", "descending"):
        driver.execute_script("arguments[0].click()", head)
        cells = table.find_elements(By.CSS_SELECTOR, "tbody tr td:nth-child(4)")
        lats = [float(cell.text.replace("−", "-")) for cell in cells]
        assert lats == sorted(lats, reverse=order == "descending")
    box = table.find_element(By.XPATH, "../preceding-sibling::div[@class='controls']")
    select = Select(box.find_elements(By.TAG_NAME, "select")[-1])
    select.select_by_visible_text("held out")
    shown = table.find_elements(By.CSS_SELECTOR, "tbody tr:not([hidden])")
    assert 0 < len(shown) < len(rows) and all("held out" in row.text for row in shown)
    assert not table.find_element(By.CSS_SELECTOR, "tbody tr[hidden]").is_displayed()


def test_every_picture_has_a_text(page):
    driver, _ = page
    for image in driver.find_elements(By.TAG_NAME, "img"):
        assert len(image.get_attribute("alt")) > 10
        assert image.get_property("naturalWidth") > 0
    for drawn in driver.find_elements(By.CSS_SELECTOR, "canvas, svg[role]"):
        assert len(drawn.get_attribute("aria-label")) > 10


def test_no_error_and_no_request_leaves_the_page(page):
    driver, product = page
    click(driver, product, *far_apart_cells(product)[0])
    assert driver.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    urls = [
        m["params"]["request"]["url"]
        for m in messages
        if m["method"] == "Network.requestWillBeSent"
    ]
    assert urls and all(url.startswith(("file://", "data:", "blob:")) for url in urls)
    assert sum(url.startswith("file://") for url in urls) == 1
    scripts = driver.execute_script("return document.querySelectorAll('script:not([type])').length")
    assert scripts in (2, 3, 4)  # the page of the last run may have no adapted tower
