// A log opens at its end and follows while it grows; scrolling up stops that, scrolling down again takes it up.
(() => {
  "use strict";
  const log = document.querySelector("[data-log]");
  const follow = document.querySelector("[data-follow]");
  if (!log) return;
  const bottom = () => log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const toEnd = () => { log.scrollTop = log.scrollHeight; };

  const marked = location.hash === "#found" ? document.querySelector("#found, li.found") : location.hash && document.getElementById(location.hash.slice(1));
  if (marked) (marked.closest("li") || marked).scrollIntoView({ block: "center" });
  else if (log.dataset.atEnd !== undefined) toEnd();

  log.addEventListener("scroll", () => { if (follow) follow.checked = bottom(); }, { passive: true });
  follow?.addEventListener("change", () => { if (follow.checked) toEnd(); });
  document.querySelector("[data-wrap]")?.addEventListener("change", (event) => log.classList.toggle("wrap-lines", event.target.checked));
  document.body.addEventListener("htmx:oobAfterSwap", () => { if (!follow || follow.checked) toEnd(); });
  // Lines far above are let go, so that a log that runs for days does not fill the browser; the file keeps them.
  document.body.addEventListener("htmx:afterSettle", () => {
    const lines = document.querySelectorAll("#log-lines > li");
    for (let place = 0; place < lines.length - 20000; place += 1) lines[place].remove();
  });
})();
