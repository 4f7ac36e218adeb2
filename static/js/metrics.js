// The metrics picker: filter the list while typing; what changes which charts there are sends the form.
(() => {
  "use strict";
  document.addEventListener("input", (event) => {
    const list = event.target.dataset.filter && document.querySelector(event.target.dataset.filter);
    if (!list) return;
    const wanted = event.target.value.toLowerCase();
    list.querySelectorAll("li").forEach((item) => { item.hidden = !item.textContent.toLowerCase().includes(wanted); });
  });
  let pending;
  document.addEventListener("change", (event) => {
    const field = event.target;
    if (field.dataset.reload === undefined || !field.form) return;
    clearTimeout(pending);
    // A moment to tick several before the page changes.
    pending = setTimeout(() => field.form.requestSubmit(field.form.querySelector("button[data-reload]")), 700);
  });
})();
