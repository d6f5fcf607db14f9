// Ask for news, show them, and load the report again when it was written anew, at the place it was read.
const page = document.documentElement;
const [status, bar, fragment, report, link, state, pause, connection] = [
  "status", "bar", "fragment", "report", "report-link", "report-state", "pause", "connection",
].map((name) => document.getElementById(name));
let version = Number(page.dataset.version);
let paused = false;

const say = (element, text) => {
  // A screen reader speaks what changes; the same text again is no change.
  if (element.textContent !== text) element.textContent = text;
};

const showReport = (next) => {
  if (next === version) return;
  version = next;
  const place = report.contentWindow?.scrollY ?? 0;
  report.addEventListener("load", () => report.contentWindow.scrollTo(0, place), { once: true });
  report.hidden = link.hidden = false;
  if (report.getAttribute("src")) report.contentWindow.location.reload();
  else report.src = "report.html";
};

const show = (told) => {
  say(status, told.sentence);
  bar.max = told.trials || 1;
  bar.value = told.done + told.diverged + told.pruned;
  if (!fragment.contains(document.activeElement)) fragment.innerHTML = told.html;
  say(state, told.report.sentence);
  showReport(told.report.version);
};

const ask = async () => {
  if (!paused && !document.hidden) {
    try {
      const answer = await fetch("progress.json", { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.statusText);
      show(await answer.json());
      say(connection, "");
    } catch {
      say(connection, "No answer: 'lossbench watch' was ended, or is busy. Trying again.");
    }
  }
  setTimeout(ask, Number(page.dataset.live));
};

pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Resume updates" : "Pause updates";
});
setTimeout(ask, Number(page.dataset.live));
