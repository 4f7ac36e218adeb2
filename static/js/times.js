// Keeps "3 minutes ago" true while a page stays open, and counts the seconds of what is still going on.
// The words are those of studio/template_tags.py.
(() => {
  "use strict";
  const steps = [[60, 1, "second"], [3600, 60, "minute"], [86400, 3600, "hour"], [2592000, 86400, "day"], [31536000, 2592000, "month"], [Infinity, 31536000, "year"]];

  const ago = (seconds) => {
    const size = Math.abs(seconds);
    if (size < 10) return "just now";
    const [, unit, word] = steps.find(([limit]) => size < limit);
    const count = Math.floor(size / unit);
    const words = `${count} ${word}${count === 1 ? "" : "s"}`;
    return seconds < 0 ? `in ${words}` : `${words} ago`;
  };

  const two = (value) => String(value).padStart(2, "0");
  const duration = (seconds) => {
    const whole = Math.floor(Math.max(0, seconds));
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`;
    if (whole < 86400) return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} m`;
    return `${Math.floor(whole / 86400)} d ${two(Math.floor((whole % 86400) / 3600))} h`;
  };

  const refresh = () => {
    const now = Date.now();
    document.querySelectorAll("time.ago").forEach((node) => {
      const text = ago((now - Date.parse(node.dateTime)) / 1000);
      if (node.textContent !== text) node.textContent = text;
    });
    document.querySelectorAll("[data-since]").forEach((node) => {
      node.textContent = duration((now - Date.parse(node.dataset.since)) / 1000);
    });
  };

  setInterval(() => { if (!document.hidden) refresh(); }, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
})();
