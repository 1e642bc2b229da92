// Tables behind the charts, and any table as CSV.
const tables = (() => {
  const { element, foreign } = format;

  // header: texts; rows: lists of texts, numbers or elements, of which the first names the row.
  const content = (cell) => (cell instanceof Node ? cell : foreign(cell));
  function table(header, rows, attributes = {}) {
    const node = element("table", attributes);
    const top = element("tr");
    header.forEach((text, j) =>
      top.append(element("th", { scope: "col", ...(j ? {} : { class: "name" }) }, foreign(text))),
    );
    node.append(element("thead", {}, top));
    const body = element("tbody");
    for (const row of rows) {
      const line = element("tr");
      row.forEach((cell, j) =>
        line.append(element(j ? "td" : "th", j ? {} : { scope: "row", class: "name" }, content(cell))),
      );
      body.append(line);
    }
    node.append(body);
    return node;
  }

  // A table as CSV (RFC 4180); a cell that a spreadsheet would run as a formula gets an apostrophe.
  function csv(node) {
    const quote = (text) => {
      const safe = /^[=@\t\r]|^[+-](?![\d.]+%?$)/.test(text) ? `'${text}` : text;
      return /[",\n\r]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
    };
    const text = (cell) =>
      [...cell.childNodes]
        .map((child) => child.textContent.trim())
        .filter(Boolean)
        .join(" ");
    const lines = [...node.rows].map((row) =>
      [...row.cells].filter((c) => !c.classList.contains("bar")).map((c) => quote(text(c))),
    );
    return `${lines.map((line) => line.join(",")).join("\r\n")}\r\n`;
  }

  function save(name, type, text) {
    const link = element("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function saveButton(name, findTable) {
    const button = element("button", { type: "button" }, "Save this table (CSV)");
    button.addEventListener("click", () => save(`${name}.csv`, "text/csv", csv(findTable())));
    return button;
  }

  // A <details> element that builds its table when it is first opened, and again after a change.
  function behind(name, build) {
    const place = element("div", {
      class: "scroll",
      tabindex: "0",
      role: "region",
      "aria-label": `Table: ${name}`,
    });
    const box = element(
      "details",
      { class: "data" },
      element("summary", {}, "Show the data as a table"),
      place,
      saveButton(name, () => {
        fill(); // the browser sends the toggle event after the click
        return place.querySelector("table");
      }),
    );
    let isFresh = false;
    function fill() {
      if (box.open && !box.hidden && !isFresh) {
        place.replaceChildren(build());
        isFresh = true;
      }
    }
    box.addEventListener("toggle", fill);
    const refresh = () => {
      isFresh = false;
      fill();
    };
    return { box, refresh, fill };
  }

  return { table, csv, save, saveButton, behind };
})();
