// The interactive map: unpacks the numbers of the page, draws them, and shows the selected cell.
"use strict";
(async () => {
  const root = document.getElementById("explorer");
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  if (!("DecompressionStream" in window)) {
    part("failure").hidden = false;
    return;
  }
  const meta = JSON.parse(part("meta").textContent);
  const MONTHS = ["whole year", "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December"];
  const LINES = { gpp: ["GPP", "#009E73"], reco: ["RECO", "#D55E00"], nee: ["NEE", "#0072B2"] };

  const numbers = await unpack(part("data").textContent.trim());
  const coast = await unpack(part("coast").textContent.trim());

  const n = meta.cells;
  const cells = new Uint16Array(numbers.buffer, 0, n);
  const indexOf = new Int32Array(meta.rows * meta.cols).fill(-1);  // of a cell among those with land
  cells.forEach((cell, k) => { indexOf[cell] = k; });
  let start = n;
  const layers = {};
  for (const layer of meta.layers) {
    layers[layer.name] = { ...layer, values: numbers.subarray(start, start + n * layer.planes) };
    start += n * layer.planes;
  }
  layers.quality_flag = { name: "quality_flag", planes: 1, values: numbers.subarray(start, start + n) };
  const value = (name, month, k) => {
    const layer = layers[name];
    const found = layer.values[(layer.planes > 1 ? month : 0) * n + k];
    return found === meta.missing ? NaN : found * (name === "quality_flag" ? 1 : meta.quantum);
  };
  const text = (x, unit = "") => Number.isNaN(x) ? "–" : x.toFixed(2).replace("-", "−") + unit;

  const state = { layer: "gpp", month: 7, cell: 0, zoom: 1, lon: 0, lat: 0 };
  const canvas = part("map");
  const pen = canvas.getContext("2d");
  const width = meta.east - meta.west, height = meta.north - meta.south;
  state.lon = meta.west + width / 2;
  state.lat = meta.south + height / 2;

  // ---- colours ----------------------------------------------------------------------------
  const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const flagBit = (flag) => meta.flag_order.find((bit) => flag & bit) ?? 0;
  function colour(layer, x) {
    if (layer.name === "quality_flag") return rgb(meta.flag_colours[flagBit(x)]);
    if (Number.isNaN(x)) return [200, 203, 206];
    const share = (x - layer.low) / (layer.high - layer.low);
    const last = layer.colours.length - 1;
    return rgb(layer.colours[Math.round(Math.min(1, Math.max(0, share)) * last)]);
  }
  const picture = document.createElement("canvas");
  picture.width = meta.cols;
  picture.height = meta.rows;
  function paint() {
    const layer = layers[state.layer];
    const image = new ImageData(meta.cols, meta.rows);
    for (let k = 0; k < n; k++) {
      const row = meta.rows - 1 - Math.floor(cells[k] / meta.cols);
      const at = 4 * (row * meta.cols + cells[k] % meta.cols);
      image.data.set([...colour(layer, value(state.layer, state.month, k)), 255], at);
    }
    picture.getContext("2d").putImageData(image, 0, 0);
  }

  // ---- the map ----------------------------------------------------------------------------
  const outline = new Path2D();  // in degrees
  const points = coast.length / 2;
  meta.coast.reduce((from, length) => {
    for (let i = from; i < from + length; i++) {
      const at = [coast[i] / 100, coast[points + i] / 100];
      i === from ? outline.moveTo(...at) : outline.lineTo(...at);
    }
    return from + length;
  }, 0);
  const scale = () => canvas.width / width * state.zoom;  // device pixels per degree
  const toMap = (lon, lat) => [
    canvas.width / 2 + (lon - state.lon) * scale(), canvas.height / 2 - (lat - state.lat) * scale()];
  const toDegrees = (x, y) => [
    state.lon + (x - canvas.width / 2) / scale(), state.lat - (y - canvas.height / 2) / scale()];
  function draw() {
    const dots = window.devicePixelRatio || 1;
    canvas.width = Math.round(canvas.clientWidth * dots);
    canvas.height = Math.round(canvas.width * height / width);
    const half = 0.5 / state.zoom;
    const keep = (x, low, size) => Math.min(low + size * (1 - half), Math.max(low + size * half, x));
    state.lon = keep(state.lon, meta.west, width);
    state.lat = keep(state.lat, meta.south, height);
    pen.fillStyle = "#eef3f7";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.imageSmoothingEnabled = false;
    const top = meta.south + meta.rows * meta.step;
    pen.drawImage(picture, ...toMap(meta.west, top),
      meta.cols * meta.step * scale(), meta.rows * meta.step * scale());
    pen.save();
    pen.translate(...toMap(0, 0));
    pen.scale(scale(), -scale());
    pen.lineWidth = 0.7 * dots / scale();
    pen.strokeStyle = "#30363d";
    pen.stroke(outline);
    pen.restore();
    const [x, y] = toMap(...centre(state.cell));
    const size = Math.max(meta.step * scale(), 9 * dots);
    for (const [ink, line] of [["#fff", 4], ["#d4006a", 2]]) {
      pen.strokeStyle = ink;
      pen.lineWidth = line * dots;
      pen.strokeRect(x - size / 2, y - size / 2, size, size);
    }
    canvas.style.touchAction = state.zoom > 1 ? "none" : "pan-y";
    canvas.dataset.view = [state.lon, state.lat, scale() / dots].join(" ");  // centre, CSS pixels a degree
  }
  const centre = (cell) => [
    meta.west + (cell % meta.cols + 0.5) * meta.step,
    meta.south + (Math.floor(cell / meta.cols) + 0.5) * meta.step];

  // ---- legend -----------------------------------------------------------------------------
  function legend() {
    const box = part("legend");
    box.replaceChildren();
    const layer = layers[state.layer];
    if (layer.name === "quality_flag") {
      const list = box.appendChild(document.createElement("ul"));
      for (const bit of [0, ...Object.keys(meta.flags)]) {
        const item = list.appendChild(document.createElement("li"));
        item.appendChild(document.createElement("i")).style.background = meta.flag_colours[bit];
        item.append(Number(bit) ? `${bit}: ${meta.flags[bit]}` : "0: no remark");
      }
      return;
    }
    const bar = box.appendChild(document.createElement("div"));
    bar.className = "bar";
    bar.style.background = `linear-gradient(90deg, ${layer.colours.join(",")})`;
    const bounds = box.appendChild(document.createElement("div"));
    bounds.className = "bounds";
    const middle = (layer.low + layer.high) / 2;
    for (const x of [layer.low, middle, layer.high]) {
      bounds.appendChild(document.createElement("span")).textContent = text(x);
    }
    const name = box.appendChild(document.createElement("p"));
    name.textContent = layer.label + (layer.unit === "1" ? "" : `, ${layer.unit}`) +
      (layer.name === "nee" ? " (green: uptake, brown: release)" : "") + "; grey: no value";
  }

  // ---- the selected cell --------------------------------------------------------------------
  const degrees = (x, plus, minus) => `${Math.abs(x).toFixed(2)}° ${x < 0 ? minus : plus}`;
  function show() {
    const k = indexOf[state.cell];
    const [lon, lat] = centre(state.cell);
    part("where").textContent = `${degrees(lat, "N", "S")}, ${degrees(lon, "E", "W")}`;
    part("water").hidden = k >= 0;
    part("numbers").hidden = k < 0;
    part("lat").value = lat.toFixed(2);
    part("lon").value = lon.toFixed(2);
    if (k < 0) return;
    part("when").textContent = MONTHS[state.month];
    for (const name of Object.keys(LINES)) {
      for (const kind of ["", "_pi90_halfwidth", "_std"].filter((end) => layers[name + end])) {
        part(name + kind).textContent = text(value(name + kind, state.month, k));
      }
      part(`${name}_year`).textContent = text(value(name, 0, k));
    }
    for (const name of ["applicability", "dissimilarity_index"]) {
      part(name).textContent = text(value(name, 0, k));
    }
    const flag = value("quality_flag", 0, k);
    const words = Object.keys(meta.flags).filter((bit) => flag & bit).map((bit) => meta.flags[bit]);
    part("quality_flag").textContent = `${flag} (${words.join("; ") || "no remark"})`;
    chart(k);
  }
  function node(name, attributes, content) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, x] of Object.entries(attributes)) made.setAttribute(key, x);
    if (content !== undefined) made.textContent = content;
    return made;
  }
  function chart(k) {
    const svg = part("chart");
    const months = [...Array(12).keys()];
    const line = (name) => months.map((m) => value(name, m + 1, k));
    const bounds = [0];
    for (const name of Object.keys(LINES)) {
      const wide = line(`${name}_pi90_halfwidth`);
      line(name).forEach((x, m) => {
        const low = name === "nee" ? x - wide[m] : Math.max(0, x - wide[m]);
        bounds.push(...[low, x + wide[m]].filter((bound) => !Number.isNaN(bound)));
      });
    }
    const [low, high] = [Math.min(...bounds), Math.max(...bounds, 0.1)];
    const unit = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20].find((s) => (high - low) / s <= 6) ?? 50;
    const x = (m) => 40 + m * 28.5, y = (f) => 14 + (high - f) / (high - low) * 176;
    svg.replaceChildren();
    svg.append(node("text", { x: 4, y: 8 }, "g C m⁻² d⁻¹"));
    for (let tick = Math.ceil(low / unit) * unit; tick <= high + 1e-9; tick += unit) {
      const zero = Math.abs(tick) < 1e-9;
      svg.append(node("line", { x1: 36, x2: 358, y1: y(tick), y2: y(tick),
        stroke: zero ? "#8a919b" : "#dde3ea" }));
      svg.append(node("text", { x: 32, y: y(tick) + 3, "text-anchor": "end" },
        (zero ? 0 : tick).toFixed(unit < 1 ? 1 : 0).replace("-", "−")));
    }
    months.forEach((m) => svg.append(
      node("text", { x: x(m), y: 206, "text-anchor": "middle" }, "JFMAMJJASOND"[m])));
    if (state.month > 0) {
      svg.append(node("line", { x1: x(state.month - 1), x2: x(state.month - 1), y1: 14, y2: 190,
        stroke: "#d4006a", "stroke-dasharray": "3 3" }));
    }
    const names = Object.entries(LINES);
    for (const [name, [, ink]] of names) {
      const mean = line(name), wide = line(`${name}_pi90_halfwidth`);
      const above = months.map((m) => `${x(m)},${y(mean[m] + wide[m])}`);
      const below = months.map((m) =>
        `${x(m)},${y(name === "nee" ? mean[m] - wide[m] : Math.max(0, mean[m] - wide[m]))}`);
      if (!mean.concat(wide).some(Number.isNaN)) {
        svg.append(node("polygon", { points: [...above, ...below.reverse()].join(" "),
          fill: ink, opacity: 0.13 }));
      }
    }
    names.forEach(([name, [label, ink]], i) => {
      svg.append(node("polyline", { points: line(name).map((f, m) => `${x(m)},${y(f)}`).join(" "),
        fill: "none", stroke: ink, "stroke-width": 2.2, "stroke-dasharray": ["", "7 3", "2 3"][i] }));
      svg.append(node("line", { x1: 100 + 80 * i, x2: 124 + 80 * i, y1: 222, y2: 222, stroke: ink,
        "stroke-width": 2.2, "stroke-dasharray": ["", "7 3", "2 3"][i] }));
      svg.append(node("text", { x: 129 + 80 * i, y: 226 }, label));
    });
    const words = names.map(([name, [label]]) => `${label} ${line(name).map((f) => text(f)).join(" ")}`);
    svg.setAttribute("aria-label",
      `Seasonal cycle, January to December, g C per m² and day: ${words.join("; ")}`);
  }

  // ---- interaction --------------------------------------------------------------------------
  function select(lon, lat) {
    const col = Math.floor((lon - meta.west) / meta.step), row = Math.floor((lat - meta.south) / meta.step);
    if (col < 0 || row < 0 || col >= meta.cols || row >= meta.rows) return;
    state.cell = row * meta.cols + col;
    part("touched").hidden = true;
    show();
    draw();
  }

  // A finger covers many cells of a fine map. A touch selects the nearest land cell under the finger
  // and zooms in, so that a second touch selects the exact cell.
  const FINGER = 12, TOUCHABLE = 8;  // CSS pixels: reach of a touch, smallest side of a cell to hit
  const cellSide = () => meta.step * scale() / (canvas.width / canvas.clientWidth);
  const maxZoom = () => Math.max(16, TOUCHABLE * state.zoom / cellSide());
  function nearestLand(lon, lat) {
    const reach = FINGER / cellSide();  // cells
    const x = (lon - meta.west) / meta.step - 0.5, y = (lat - meta.south) / meta.step - 0.5;
    let nearest = null, minimum = reach;
    for (let row = Math.max(0, Math.ceil(y - reach)); row <= Math.min(meta.rows - 1, y + reach); row++) {
      for (let col = Math.max(0, Math.ceil(x - reach)); col <= Math.min(meta.cols - 1, x + reach); col++) {
        const gap = Math.hypot(col - x, row - y);
        if (gap <= minimum && indexOf[row * meta.cols + col] >= 0) {
          [nearest, minimum] = [row * meta.cols + col, gap];
        }
      }
    }
    return nearest;
  }
  function touch(lon, lat) {
    if (cellSide() > 0.99 * TOUCHABLE) return select(lon, lat);
    const nearest = nearestLand(lon, lat);
    select(...(nearest === null ? [lon, lat] : centre(nearest)));
    state.zoom *= TOUCHABLE / cellSide();
    [state.lon, state.lat] = centre(state.cell);
    draw();
    part("touched").hidden = false;
    part("touched").textContent = (nearest === null ? "There is no land near the touch. "
      : "This is the land cell nearest to the touch. ") + "Touch the enlarged map to select another.";
  }
  function update() {
    const single = layers[state.layer].planes === 1;
    part("month").disabled = single;
    part("month_name").textContent = single ? "whole year" : MONTHS[state.month];
    part("month").setAttribute("aria-valuetext", MONTHS[state.month]);
    const label = layers[state.layer].label ?? "Quality flag";
    canvas.setAttribute("aria-label", `Map of ${label}, ${single ? MONTHS[0] : MONTHS[state.month]}. ` +
      "Arrow keys move to the next cell, plus and minus zoom; the numbers of the cell are below.");
    paint();
    legend();
    show();
    draw();
  }
  function zoom(factor) {
    state.zoom = Math.min(maxZoom(), Math.max(1, state.zoom * factor));
    if (factor > 1) [state.lon, state.lat] = centre(state.cell);
    draw();
  }
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    const dots = canvas.width / box.width;
    return [(event.clientX - box.left) * dots, (event.clientY - box.top) * dots];
  };
  let held = null;
  canvas.addEventListener("pointerdown", (event) => {
    held = { from: at(event), lon: state.lon, lat: state.lat, moved: false };
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!held) return;
    const [x, y] = at(event);
    const [dx, dy] = [x - held.from[0], y - held.from[1]];
    held.moved ||= Math.hypot(dx, dy) > 6 * (window.devicePixelRatio || 1);
    if (held.moved && state.zoom > 1) {
      state.lon = held.lon - dx / scale();
      state.lat = held.lat + dy / scale();
      draw();
    }
  });
  canvas.addEventListener("pointerup", (event) => {
    const act = event.pointerType === "touch" ? touch : select;
    if (held && !held.moved) act(...toDegrees(...at(event)));
    held = null;
  });
  canvas.addEventListener("pointercancel", () => { held = null; });
  canvas.addEventListener("pointerleave", () => { held = null; });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (step) {
      const [lon, lat] = centre(state.cell);
      select(lon + step[0] * meta.step, lat + step[1] * meta.step);
    } else if (event.key === "+" || event.key === "=") zoom(2);
    else if (event.key === "-") zoom(0.5);
    else return;
    event.preventDefault();
  });
  part("layer").addEventListener("change", (event) => { state.layer = event.target.value; update(); });
  part("month").addEventListener("input", (event) => { state.month = Number(event.target.value); update(); });
  part("closer").addEventListener("click", () => zoom(2));
  part("farther").addEventListener("click", () => zoom(0.5));
  part("go").addEventListener("submit", (event) => {
    event.preventDefault();
    select(Number(part("lon").value), Number(part("lat").value));
  });
  new ResizeObserver(draw).observe(canvas.parentElement);

  // initially selected: the most productive cell without a quality flag
  const rank = (k) => value("quality_flag", 0, k) === 0 ? value("gpp", 0, k) : -1;
  let best = 0;
  for (let k = 1; k < n; k++) if (rank(k) > rank(best)) best = k;
  state.cell = cells[best] ?? 0;
  update();
  root.dataset.ready = "yes";
})();
