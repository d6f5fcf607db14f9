// Score tables sort by the column that is clicked: up, down, then back to families.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  const headers = [...table.tHead.rows[1].cells];
  const value = (row, column, kind) => {
    const cell = row.cells[column];
    if (kind === "text") return cell.textContent.trim().toLowerCase();
    return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
  };
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.title = "Sort by this column";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const before = header.getAttribute("aria-sort");
      const next = before === "ascending" ? "descending" : before === "descending" ? null : "ascending";
      headers.forEach((other) => other.removeAttribute("aria-sort"));
      if (next === null) {
        body.replaceChildren(...original);
        return;
      }
      header.setAttribute("aria-sort", next);
      const sign = next === "ascending" ? 1 : -1;
      const kind = header.dataset.sort;
      const rows = original.filter((row) => !row.classList.contains("family"));
      rows.sort((a, b) => {
        const [x, y] = [value(a, column, kind), value(b, column, kind)];
        if (x === null || y === null) return (x === null) - (y === null);
        return x < y ? -sign : x > y ? sign : 0;
      });
      body.replaceChildren(...rows);
    });
  });
}
