// The series of a tower: measured, zero-shot, and adapted with its interval, as weekly means.
"use strict";
(async () => {
  const root = document.getElementById("tower-series");
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  if (!("DecompressionStream" in window)) {
    part("failure").hidden = false;
    return;
  }
  const meta = JSON.parse(part("meta").textContent);
  const numbers = await unpack(part("data").textContent.trim());
  const FLUXES = ["gpp", "reco", "nee"];
  const [LEFT, RIGHT, TOP, HEIGHT, STEP] = [44, 752, 34, 158, 182];
  const DAY = 86400000;  // ms

  meta.towers.reduce((from, tower) => {
    tower.from = from;
    return from + tower.weeks * meta.planes.length;
  }, 0);
  function weekly(tower, name) {
    const from = tower.from + tower.weeks * meta.planes.indexOf(name);
    return [...numbers.subarray(from, from + tower.weeks)]
      .map((x) => x === meta.missing ? NaN : x * meta.quantum);
  }
  function node(name, attributes, content) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, x] of Object.entries(attributes)) made.setAttribute(key, x);
    if (content !== undefined) made.textContent = content;
    return made;
  }
  const text = (x) => x === null ? "–" : x.toFixed(2).replace("-", "−");

  function panel(svg, tower, flux, top, x) {
    const [measured, zero, adapted, width] =
      ["observed", "zero_shot", "adapted", "halfwidth"].map((kind) => weekly(tower, `${flux}_${kind}`));
    const floor = flux === "nee" ? -Infinity : 0;
    const low = adapted.map((f, i) => Number.isNaN(f) ? f : Math.max(floor, f - width[i])), high = adapted.map((f, i) => f + width[i]);
    const known = [...measured, ...zero, ...low, ...high, 0].filter((f) => !Number.isNaN(f));
    const [bottom, roof] = [Math.min(...known), Math.max(...known, 0.1)];
    const y = (f) => top + (roof - f) / (roof - bottom) * HEIGHT;
    const unit = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20].find((s) => (roof - bottom) / s <= 6) ?? 50;
    for (let tick = Math.ceil(bottom / unit) * unit; tick <= roof + 1e-9; tick += unit) {
      const zeroLine = Math.abs(tick) < 1e-9;
      svg.append(node("line", { x1: LEFT, x2: RIGHT, y1: y(tick), y2: y(tick),
        stroke: zeroLine ? "#8a919b" : "#dde3ea" }));
      svg.append(node("text", { x: LEFT - 5, y: y(tick) + 3, "text-anchor": "end" },
        (zeroLine ? 0 : tick).toFixed(unit < 1 ? 1 : 0).replace("-", "−")));
    }
    // a path that is broken where there is no value
    const line = (values) => values.map((f, i) => Number.isNaN(f) ? ""
      : `${Number.isNaN(values[i - 1] ?? NaN) ? "M" : "L"}${x(i)},${y(f)}`).join("");
    let band = "";
    for (let i = 0; i < low.length; i++) {
      if (Number.isNaN(low[i])) continue;
      const first = i;
      while (i + 1 < low.length && !Number.isNaN(low[i + 1])) i++;
      const run = [...Array(i - first + 1).keys()].map((k) => first + k);
      band += `M${run.map((k) => `${x(k)},${y(high[k])}`).join("L")}` +
        `L${run.reverse().map((k) => `${x(k)},${y(low[k])}`).join("L")}Z`;
    }
    const dots = measured.map((f, i) => Number.isNaN(f) ? "" : `M${x(i)},${y(f)}h0`).join("");
    svg.append(node("path", { d: band, fill: "#0072B2", opacity: 0.15, "data-line": `${flux}_band` }));
    svg.append(node("path", { d: dots, stroke: "#1f2630", "stroke-width": 3, "stroke-linecap": "round",
      opacity: 0.55, "data-line": `${flux}_observed` }));
    svg.append(node("path", { d: line(zero), fill: "none", stroke: "#C27C00", "stroke-width": 1.5,
      "stroke-dasharray": "5 3", "data-line": `${flux}_zero_shot` }));
    svg.append(node("path", { d: line(adapted), fill: "none", stroke: "#0072B2", "stroke-width": 1.8,
      "data-line": `${flux}_adapted` }));
    svg.append(node("text", { x: LEFT, y: top - 5, "font-weight": 600 }, `${flux.toUpperCase()}, g C m⁻² d⁻¹`));
  }

  function show(tower) {
    const svg = part("chart");
    svg.replaceChildren();
    const x = (week) => LEFT + (week + 0.5) * (RIGHT - LEFT) / tower.weeks;
    const used = weekly(tower, "used");
    used.forEach((share, i) => {
      if (share > 0) svg.append(node("rect", { x: x(i - 0.5), width: x(1) - x(0), y: TOP,
        height: 2 * STEP + HEIGHT, fill: "#F0E442", opacity: 0.22 }));
    });
    const start = Date.parse(tower.start), last = start + 7 * DAY * tower.weeks;
    const years = (last - start) / (365.25 * DAY);
    const every = [1, 2, 5].find((step) => years / step <= 12) ?? 10;
    for (let year = new Date(start).getUTCFullYear(); Date.UTC(year, 0) < last; year++) {
      const at = x((Date.UTC(year, 0) - start) / DAY / 7 - 0.5);
      if (year % every || at < LEFT - 1 || at > RIGHT - 30) continue;
      svg.append(node("line", { x1: at, x2: at, y1: TOP, y2: TOP + 2 * STEP + HEIGHT, stroke: "#dde3ea" }));
      svg.append(node("text", { x: at + 3, y: TOP + 2 * STEP + HEIGHT + 13 }, year));
    }
    FLUXES.forEach((flux, i) => panel(svg, tower, flux, TOP + i * STEP, x));
    [["measured", "#1f2630", ""], ["zero-shot", "#C27C00", "5 3"], ["adapted", "#0072B2", ""]]
      .forEach(([label, ink, dash], i) => {
        svg.append(node("line", { x1: 50 + 90 * i, x2: 74 + 90 * i, y1: 8, y2: 8, stroke: ink,
          "stroke-width": i ? 2 : 4, "stroke-linecap": i ? "butt" : "round",
          "stroke-dasharray": i ? dash : "0 8" }));
        svg.append(node("text", { x: 79 + 90 * i, y: 12 }, label));
      });
    svg.append(node("rect", { x: 320, width: 22, y: 2, height: 12, fill: "#0072B2", opacity: 0.15 }));
    svg.append(node("text", { x: 347, y: 12 }, "90 % interval of a day"));
    svg.append(node("rect", { x: 490, width: 22, y: 2, height: 12, fill: "#F0E442", opacity: 0.5 }));
    svg.append(node("text", { x: 517, y: 12 }, "weeks with days that adapted"));
    const words = FLUXES.map((flux) =>
      `${flux.toUpperCase()} ${text(tower.rmse[flux][0])} zero-shot, ${text(tower.rmse[flux][1])} adapted`);
    part("scores").textContent = tower.scored
      ? `Adapted with ${tower.used} measured days. RMSE on the ${tower.scored} good days after them, ` +
        `g C m⁻² d⁻¹: ${words.join("; ")}.`
      : "No day was measured well enough: the series is zero-shot.";
    svg.setAttribute("aria-label", `Weekly fluxes of ${tower.label}. ${part("scores").textContent}`);
  }
  part("tower").addEventListener("change", (event) => show(meta.towers[event.target.value]));
  show(meta.towers[0]);
  root.dataset.ready = "yes";
})();
