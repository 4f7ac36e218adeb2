// The Explanations and Fairness tabs: a click on a point picks its row, a slider says its number, a picked row beyond
// the most lets the oldest go. Without JavaScript the table's boxes and the form's button do the same.
(() => {
  "use strict";

  const boxes = (form, name) => [...document.querySelectorAll(`input[name="${name}"][form="${form.id}"]`)];

  const submit = (form) => form.requestSubmit();

  const pick = (chart, row) => {
    const form = document.getElementById(chart.dataset.pickForm);
    if (!form) return;
    const name = chart.dataset.pick;
    const known = boxes(form, name).find((box) => box.value === row);
    if (known) known.checked = !known.checked;
    else {
      const box = document.createElement("input");
      box.type = "hidden";
      box.name = name;
      box.value = row;
      form.append(box);
    }
    const checked = boxes(form, name).filter((box) => box.checked && box !== known);
    const hidden = form.querySelectorAll(`input[type="hidden"][name="${name}"]`).length;
    const most = Number(chart.dataset.pickMost) || 5;
    checked.slice(0, Math.max(0, checked.length + hidden + (known && known.checked ? 1 : 0) - most)).forEach((box) => { box.checked = false; });
    submit(form);
  };

  const listen = () => {
    document.querySelectorAll(".chart[data-pick]").forEach((chart) => {
      if (chart.dataset.picks || typeof chart.on !== "function") return;
      chart.dataset.picks = "1";
      chart.on("plotly_click", (event) => {
        const row = event.points[0] && event.points[0].text;
        if (row !== undefined && row !== null && /^\d+$/.test(String(row))) pick(chart, String(row));
      });
    });
  };

  // A chart can be listened to once it is drawn; charts.js counts its drawings in data-drawn.
  new MutationObserver(listen).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["data-drawn"] });

  document.addEventListener("input", (event) => {
    const field = event.target;
    if (field.type !== "range" || !field.id) return;
    const output = document.querySelector(`output[for="${field.id}"]`);
    if (output) output.textContent = field.value;
  });

  // Fields that stand outside their form (form="…") do not bubble to it: hand their changes on.
  document.addEventListener("change", (event) => {
    const field = event.target;
    const form = field.form;
    if (form && form.id === "exp-form" && !form.contains(field)) submit(form);
  });
})();
