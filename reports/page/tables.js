// Tables: sorting by every column, a box that filters rows, and rows of losses that are not chosen.
const tables = [];

function announce(text) {
  document.getElementById("status").textContent = text;
}

class DataTable {
  constructor(element) {
    this.element = element;
    this.body = element.tBodies[0];
    this.original = [...this.body.rows];
    this.rows = this.original.filter((row) => !row.classList.contains("family"));
    this.headers = [...element.tHead.querySelector(".columns").cells];
    this.losses = new Map(this.rows.map((row) => [row, (row.dataset.losses || "").split(" ").filter(Boolean)]));
    this.words = [];
    this.unchosen = new Set();
    if (this.rows.length > 1) this.headers.forEach((header, column) => this.addButton(header, column));
    this.addTools();
  }

  get title() {
    return this.element.caption.textContent;
  }

  addButton(header, column) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => this.sortBy(header, column));
  }

  sortBy(header, column) {
    const orders = "falling" in header.dataset ? ["descending", "ascending"] : ["ascending", "descending"];
    const next = orders[orders.indexOf(header.getAttribute("aria-sort")) + 1];
    this.headers.forEach((other) => other.removeAttribute("aria-sort"));
    if (next === undefined) {
      this.body.replaceChildren(...this.original);
      announce(`${this.title} In the original order.`);
      return;
    }
    header.setAttribute("aria-sort", next);
    this.body.replaceChildren(...this.sorted(header, column, next === "ascending" ? 1 : -1));
    announce(`${this.title} Sorted by ${header.textContent}, ${next}.`);
  }

  sorted(header, column, sign) {
    const number = header.dataset.sort === "number";
    const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
    const keys = new Map(this.rows.map((row) => {
      const cell = row.cells[column];
      if (number) return [row, cell.dataset.value === undefined ? null : Number(cell.dataset.value)];
      return [row, cell.textContent.trim()];
    }));
    return [...this.rows].sort((a, b) => {
      const [x, y] = [keys.get(a), keys.get(b)];
      if (x === null || y === null) return (x === null) - (y === null);
      return sign * (number ? x - y : collator.compare(x, y));
    });
  }

  addTools() {
    const place = this.element.closest(".scroll");
    this.count = document.createElement("p");
    this.count.className = "row-count";
    this.count.hidden = true;
    place.after(this.count);
    if (!this.element.closest(".filtered")) return;
    const label = document.createElement("label");
    label.className = "filter";
    label.append("Filter rows ");
    const input = document.createElement("input");
    input.type = "search";
    input.autocomplete = "off";
    input.spellcheck = false;
    input.setAttribute("aria-label", `Filter rows: ${this.title}`);
    input.addEventListener("input", () => {
      this.words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      this.update();
      announce(`${this.shown} of ${this.rows.length} rows shown.`);
    });
    label.append(input);
    place.before(label);
  }

  choose(unchosen) {
    this.unchosen = unchosen;
    this.update();
  }

  update() {
    this.shown = 0;
    for (const row of this.rows) {
      const text = this.words.length ? row.textContent.toLowerCase() : "";
      const chosen = !this.losses.get(row).some((loss) => this.unchosen.has(loss));
      row.hidden = !(chosen && this.words.every((word) => text.includes(word)));
      if (!row.hidden) this.shown += 1;
    }
    let family = null;
    for (const row of this.original) {
      if (row.classList.contains("family")) {
        family = row;
        family.hidden = true;
      } else if (family !== null && !row.hidden) family.hidden = false;
    }
    this.count.hidden = this.shown === this.rows.length;
    this.count.textContent = `${this.shown} of ${this.rows.length} rows shown`;
  }
}

for (const element of document.querySelectorAll("table.data")) tables.push(new DataTable(element));
