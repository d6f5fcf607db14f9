// One choice of losses for all tables.
(() => {
  const button = document.getElementById("losses-button");
  if (button === null) return;
  const panel = document.getElementById("losses-panel");
  const search = document.getElementById("losses-search");
  const boxes = [...panel.querySelectorAll("input[data-loss]")];
  const families = [...panel.querySelectorAll("fieldset")];

  function update() {
    const unchosen = new Set(boxes.filter((box) => !box.checked).map((box) => box.dataset.loss));
    for (const family of families) {
      const own = [...family.querySelectorAll("input[data-loss]")];
      const checked = own.filter((box) => box.checked).length;
      const whole = family.querySelector(".whole-family");
      whole.checked = checked === own.length;
      whole.indeterminate = checked > 0 && checked < own.length;
    }
    for (const table of tables) table.choose(unchosen);
    const chosen = boxes.length - unchosen.size;
    button.querySelector(".count").textContent = `${unchosen.size ? `${chosen} of` : "all"} ${boxes.length}`;
    button.classList.toggle("active", unchosen.size > 0);
    return `${chosen} of ${boxes.length} losses shown in tables.`;
  }

  function open(shown) {
    panel.hidden = !shown;
    button.setAttribute("aria-expanded", String(shown));
    if (shown) search.focus();
  }

  button.addEventListener("click", () => open(panel.hidden));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || panel.hidden) return;
    open(false);
    button.focus();
  });
  document.addEventListener("click", (event) => {
    if (!panel.hidden && !panel.contains(event.target) && !button.contains(event.target)) open(false);
  });
  panel.addEventListener("change", (event) => {
    if (event.target.classList.contains("whole-family")) {
      const own = event.target.closest("fieldset").querySelectorAll("label:not([hidden]) > input[data-loss]");
      for (const box of own) box.checked = event.target.checked;
    }
    if (event.target !== search) announce(update());
  });
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    for (const family of families) {
      const all = family.querySelector("legend").textContent.toLowerCase().includes(wanted);
      const labels = [...family.querySelectorAll(":scope > label")];
      for (const label of labels) label.hidden = !all && !label.textContent.toLowerCase().includes(wanted);
      family.hidden = labels.every((label) => label.hidden);
    }
  });
  for (const each of panel.querySelectorAll("button[data-choose]")) {
    each.addEventListener("click", () => {
      const choice = each.dataset.choose;
      for (const box of boxes) box.checked = choice === "all" || (choice === "best" && "best" in box.dataset);
      announce(update());
    });
  }
  for (const box of boxes) box.checked = true; // browsers remember boxes of a page that is loaded again
  update();
})();
