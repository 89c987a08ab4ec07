"use strict";
// Value under the pointer on each curve; the page is complete without it.
for (const plot of document.querySelectorAll(".plot")) {
  const points = JSON.parse(plot.dataset.points);
  const area = plot.querySelector(".area");
  const near = plot.classList.contains("near"); // several curves: the height of the pointer says which
  if (!points.length) continue;
  const tip = document.createElement("div");
  const dot = document.createElement("i");
  tip.className = "tip";
  dot.className = "here";
  plot.append(tip, dot);
  const show = (event) => {
    const box = area.getBoundingClientRect();
    const outer = plot.getBoundingClientRect();
    const at = (100 * (event.clientX - box.left)) / box.width;
    const height = (100 * (event.clientY - box.top)) / box.height;
    const far = (point) => Math.abs(point[0] - at) + (near ? Math.abs(point[1] - height) / 4 : 0);
    const [x, y, text] = points.reduce((a, b) => (far(b) < far(a) ? b : a));
    const left = box.left - outer.left + (x * box.width) / 100;
    dot.style.left = left + "px";
    dot.style.top = box.top - outer.top + (y * box.height) / 100 + "px";
    tip.textContent = text;
    tip.style.left = Math.min(Math.max(left, tip.offsetWidth / 2), outer.width - tip.offsetWidth / 2) + "px";
    plot.classList.add("hover");
  };
  area.addEventListener("pointermove", show);
  area.addEventListener("pointerdown", show);
  area.addEventListener("pointerleave", () => plot.classList.remove("hover"));
}
if (navigator.clipboard) {
  for (const button of document.querySelectorAll("[data-copy]")) {
    const label = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "✓";
      setTimeout(() => (button.textContent = label), 1200);
    });
  }
}
// On paper nothing can be opened: print everything, then leave it as it was
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const one of opened) one.open = true;
});
addEventListener("afterprint", () => {
  for (const one of opened) one.open = false;
});
