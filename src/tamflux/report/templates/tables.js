// Tables of the page: sort by a column, filter by the words of a column.
"use strict";
(() => {
  // sorted by the middle of "0.1 / 0.5 / 0.7", by the first of "1.2 ± 0.3" and "1.2 [0.9, 1.4]"
  function key(cell) {
    const parts = cell.textContent.trim().split(" / ");
    const text = parts[Math.floor(parts.length / 2)].replace(/−/g, "-").replace(/,/g, "");
    const number = parseFloat(text);
    return Number.isNaN(number) ? text : number;
  }
  const empty = (x) => x === "" || x === "–";
  function sort(table, column, downward) {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [key(row.cells[column]), row]);
    const [known, without] = [rows.filter((r) => !empty(r[0])), rows.filter((r) => empty(r[0]))];
    const numeric = known.every(([x]) => typeof x === "number");
    const compare = (a, b) => numeric ? a[0] - b[0] : String(a[0]).localeCompare(String(b[0]));
    known.sort((a, b) => (downward ? -1 : 1) * compare(a, b));
    body.append(...known.concat(without).map((r) => r[1]));  // rows without a number are last
  }
  for (const table of document.querySelectorAll("section > .scroll > table, details > .scroll > table")) {
    if (table.tBodies[0].rows.length < 3) continue;
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const downward = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", downward ? "descending" : "ascending");
        sort(table, column, downward);
      });
    });
    const filters = heads.map((head, column) => [head, column])
      .filter(([head]) => head.dataset.filter !== undefined);
    if (!filters.length) continue;
    const box = document.createElement("div");
    box.className = "controls";
    const count = document.createElement("output");
    const selected = filters.map(([head, column]) => {
      const select = document.createElement("select");
      const label = document.createElement("label");
      label.append(`${head.textContent} `, select);
      const words = [...new Set([...table.tBodies[0].rows].map((row) => row.cells[column].textContent))];
      for (const word of ["", ...words.sort()]) select.add(new Option(word || "all", word));
      select.addEventListener("change", apply);
      box.append(label);
      return [select, column];
    });
    function apply() {
      let visible = 0;
      for (const row of table.tBodies[0].rows) {
        row.hidden = selected.some(([select, column]) =>
          select.value && row.cells[column].textContent !== select.value);
        visible += row.hidden ? 0 : 1;
      }
      count.textContent = `${visible} of ${table.tBodies[0].rows.length}`;
    }
    apply();
    box.append(count);
    table.parentElement.before(box);
  }
})();
