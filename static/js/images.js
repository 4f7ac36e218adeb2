// The slider under a picture that was logged many times: oldest at the left, newest at the right.
(() => {
  "use strict";
  document.addEventListener("input", (event) => {
    const slider = event.target;
    if (slider.dataset.albumSlider === undefined) return;
    const album = slider.closest("[data-album]");
    const items = album.querySelectorAll("li[data-src]");
    const item = items[Number(slider.value)];
    const picture = album.querySelector("img");
    picture.src = item.dataset.src;
    picture.alt = `${album.querySelector("strong").textContent}, step ${item.dataset.step}`;
    album.querySelector("[data-album-step]").textContent = item.dataset.step;
    const link = album.querySelector("[data-album-link]");
    const url = new URL(link.href, location.href);
    url.searchParams.set("at", items.length - 1 - Number(slider.value));
    link.href = url.href;
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input, textarea, select")) return;
    const rel = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
    const link = rel && document.querySelector(`.viewer a[rel="${rel}"]`);
    if (link) link.click();
  });
})();
