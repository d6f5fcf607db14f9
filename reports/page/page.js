// Theme, copying, and where the reader is.
(() => {
  const root = document.documentElement;
  const theme = document.getElementById("theme-button");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark";

  function name() {
    theme.textContent = dark() ? "Light" : "Dark";
    theme.setAttribute("aria-label", `Switch to the ${dark() ? "light" : "dark"} theme`);
  }
  theme.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try {
      localStorage.setItem("lossbench-theme", root.dataset.theme);
    } catch {
      // The choice lasts as long as the page.
    }
    name();
  });
  system.addEventListener("change", name);
  name();
  document.getElementById("toolbar").hidden = false;

  function select(element) {
    const range = document.createRange();
    range.selectNodeContents(element);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  }
  for (const button of document.querySelectorAll("button[data-copy]")) {
    const source = document.getElementById(button.dataset.copy);
    button.closest(".actions").hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(source.innerText.trim());
        announce("Copied.");
        const before = button.textContent;
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = before; }, 1500);
      } catch {
        select(source);
        announce("The text is selected; copy it with the keyboard.");
      }
    });
  }

  // A link into a folded table opens it. What lies above is laid out only when it is near (content-visibility), so
  // that its height, and with it the place of the target, is known only once the page is there.
  function arrive() {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    const folded = target.closest("details");
    if (folded) folded.open = true;
    let left = 60, steady = 0, last = NaN;
    const stop = () => { left = 0; };
    for (const moved of ["wheel", "touchstart", "keydown", "pointerdown"]) addEventListener(moved, stop, { once: true, passive: true });
    (function settle() {
      if (left-- <= 0 || steady > 3) return;
      target.scrollIntoView();
      const top = target.getBoundingClientRect().top;
      steady = top === last ? steady + 1 : 0;
      last = top;
      requestAnimationFrame(settle);
    })();
  }
  addEventListener("hashchange", arrive);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link && link.hash === location.hash) arrive();  // no other hash, no event
  });
  arrive();

  const links = new Map([...document.querySelectorAll(".contents a")].map((link) => [link.hash.slice(1), link]));
  const seen = new Set();
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) seen.add(entry.target);
      else seen.delete(entry.target);
    }
    const current = sections.find((section) => seen.has(section));
    for (const [anchor, link] of links) {
      if (current !== undefined && anchor === current.id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }, { rootMargin: "-10% 0px -60% 0px" });
  const sections = [...document.querySelectorAll("main section")];
  for (const section of sections) watch.observe(section);
})();
