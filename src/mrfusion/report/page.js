// Draws the chosen figures in the page's colours, and lets the buttons choose. No network, no storage.
(() => {
  "use strict";
  const drawings = JSON.parse(document.getElementById("figures").textContent);
  const figures = [...document.querySelectorAll("figure.plot")];

  // "var(--name)" anywhere in a drawing becomes what the variable says just now.
  const painted = (value, style) => {
    if (typeof value === "string") return value.startsWith("var(") ? style.getPropertyValue(value.slice(4, -1)).trim() : value;
    if (Array.isArray(value)) return value.map((item) => painted(item, style));
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, painted(item, style)]));
    return value;
  };

  const draw = (figure) => {
    const canvas = figure.querySelector(".canvas");
    const drawing = painted(drawings[figure.id][figure.dataset.chosen], getComputedStyle(document.documentElement));
    drawing.layout.height = Number(canvas.dataset.height);
    return Plotly.react(canvas, drawing.data, drawing.layout, { displayModeBar: false, responsive: true, scrollZoom: false });
  };
  const drawAll = () => figures.forEach(draw);

  const press = (button) =>
    button.parentElement.querySelectorAll("button").forEach((other) => other.setAttribute("aria-pressed", String(other === button)));

  const show = (id) => {
    const target = id && document.getElementById(id);
    if (!target) return;
    for (let box = target; box; box = box.parentElement.closest("details")) {
      if (box.tagName === "DETAILS") box.open = true;
      if (!box.parentElement) break;
    }
    target.scrollIntoView({ block: "start" });
    if (target.tabIndex === -1) target.focus({ preventScroll: true });
  };

  figures.forEach((figure) => {
    figure.querySelectorAll("button[data-place]").forEach((button) =>
      button.addEventListener("click", () => {
        const chosen = figure.dataset.chosen.split("|");
        chosen[Number(button.dataset.place)] = button.dataset.key;
        figure.dataset.chosen = chosen.join("|");
        press(button);
        draw(figure);
      }));
    draw(figure).then((canvas) =>
      canvas.on("plotly_click", (event) => {
        const anchor = event.points[0].customdata;
        if (typeof anchor === "string") { location.hash = anchor; show(anchor); }
      }));
  });

  const gallery = document.getElementById("gallery");
  if (gallery) {
    gallery.querySelectorAll("button[data-image]").forEach((button) =>
      button.addEventListener("click", () => {
        press(button);
        gallery.querySelectorAll("use.image").forEach((use) => {
          const image = `${use.dataset.frame}-m${button.dataset.image}`;
          if (document.getElementById(image)) use.setAttribute("href", `#${image}`); // an arm may have kept fewer modalities
        });
      }));
    gallery.querySelectorAll("button[data-outline]").forEach((button) =>
      button.addEventListener("click", () => {
        press(button);
        const one = button.dataset.outline;
        gallery.querySelectorAll("path.o").forEach((path) => { path.style.display = one === "all" || path.classList.contains(`r${one}`) ? "" : "none"; });
      }));
    gallery.querySelectorAll("button[data-layer]").forEach((button) =>
      button.addEventListener("click", () => {
        const on = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(on));
        gallery.classList.toggle(`no-${button.dataset.layer}`, !on);
      }));
  }

  addEventListener("hashchange", () => show(decodeURIComponent(location.hash.slice(1))));
  show(decodeURIComponent(location.hash.slice(1)));
  ["(prefers-color-scheme: dark)", "print"].forEach((query) => matchMedia(query).addEventListener("change", drawAll));
})();
