// Looks through small volumes: three planes, target and prediction laid over them. No network, no storage, no WebGL.
(() => {
  "use strict";
  const root = document.getElementById("viewer");
  const cases = JSON.parse(document.getElementById("volumes").textContent);
  const $ = (name) => document.getElementById(`v-${name}`);
  const planes = [...root.querySelectorAll("canvas")].map((canvas) => ({ canvas, axis: Number(canvas.dataset.axis) }));
  const sliders = [0, 1, 2].map((axis) => root.querySelector(`[data-slider="${axis}"]`));
  const TARGET = [86, 200, 255], PREDICTION = [255, 150, 0], BOTH = [255, 255, 255];
  const ACROSS = [[1, 2], [0, 2], [0, 1]]; // axes to the right and up in the plane of each axis
  const decoded = new Map();
  let volumes = null, at = [0, 0, 0];

  // A picture as the numbers that it holds: pixel (z * Y + y) * X + x is voxel (x, y, z).
  const decode = (address) => {
    if (!decoded.has(address)) decoded.set(address, new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => {
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [image.width, image.height];
        const context = canvas.getContext("2d", { willReadFrequently: true });
        context.drawImage(image, 0, 0);
        const pixels = context.getImageData(0, 0, image.width, image.height).data;
        resolve(Uint8Array.from({ length: image.width * image.height }, (_, i) => pixels[4 * i]));
      };
      image.onerror = () => reject(new Error("a volume cannot be decoded"));
      image.src = address;
    }));
    return decoded.get(address);
  };

  const chosen = () => cases[Number($("case").value)];

  // Rows from the top, seen from the feet and from the left, as in the pictures of the cases: see data/slice_view.py.
  const place = (axis, shape, column, row) => {
    const [right, up] = ACROSS[axis], voxel = [...at];
    voxel[right] = shape[right] - 1 - column;
    voxel[up] = shape[up] - 1 - row;
    return voxel;
  };

  const mixed = (base, colour, share) => base.map((value, i) => value + (colour[i] - value) * share);

  const draw = ({ canvas, axis }) => {
    const { shape, spacing } = chosen(), [right, up] = ACROSS[axis], [X, Y] = shape;
    const width = shape[right], height = shape[up];
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    canvas.style.aspectRatio = `${width * spacing[right]} / ${height * spacing[up]}`;
    const bits = Number($("region").value), share = Number($("opacity").value) / 100;
    const index = (column, row) => { const [x, y, z] = place(axis, shape, column, row); return (z * Y + y) * X + x; };
    const inside = (mask, column, row) =>
      column >= 0 && row >= 0 && column < width && row < height && (mask[index(column, row)] & bits) !== 0;
    const edge = (mask, c, r) => inside(mask, c, r) &&
      !(inside(mask, c - 1, r) && inside(mask, c + 1, r) && inside(mask, c, r - 1) && inside(mask, c, r + 1));
    const layers = [["target", TARGET], ["prediction", PREDICTION]].filter(([name]) => $(name).checked);
    const context = canvas.getContext("2d"), picture = context.createImageData(width, height);
    for (let row = 0; row < height; row++) for (let column = 0; column < width; column++) {
      const grey = volumes.image[index(column, row)];
      let colour = [grey, grey, grey];
      for (const [name, tint] of layers) if (inside(volumes[name], column, row)) colour = mixed(colour, tint, share);
      const edges = layers.filter(([name]) => edge(volumes[name], column, row));
      if (share > 0 && edges.length) colour = mixed(colour, edges.length > 1 ? BOTH : edges[0][1], Math.min(1, share + 0.4));
      if (column === width - 1 - at[right] || row === height - 1 - at[up]) colour = mixed(colour, [120, 255, 120], 0.18);
      picture.data.set([...colour, 255], 4 * (row * width + column));
    }
    context.putImageData(picture, 0, 0);
  };

  // One scale for all three planes: their widths in mm, the sum, the widest and the tallest, for the style sheet.
  const measure = () => {
    const { shape, spacing } = chosen(), mm = (axis) => shape[axis] * spacing[axis];
    const widths = planes.map(({ axis }) => mm(ACROSS[axis][0])), box = root.querySelector(".planes").style;
    planes.forEach(({ canvas }, number) => canvas.style.setProperty("--mm", widths[number]));
    const sum = widths.reduce((before, width) => before + width, 0);
    box.setProperty("--all", widths.reduce((before, width) => before + Math.max(width, 0.16 * sum), 0)); // a slider needs room
    box.setProperty("--widest", Math.max(...widths));
    box.setProperty("--tall", Math.max(...planes.map(({ axis }) => mm(ACROSS[axis][1]))));
  };

  const drawAll = () => {
    if (!volumes) return;
    planes.forEach(draw);
    sliders.forEach((slider, axis) => { slider.value = at[axis]; });
    const [x, y, z] = at, { shape } = chosen(), voxel = (z * shape[1] + y) * shape[0] + x;
    const names = (mask) => chosen().regions.filter((_, r) => mask[voxel] & (1 << r)).join(", ") || "nothing";
    const score = chosen().arms[Number($("arm").value)][1];
    $("says").textContent = `${$("arm").selectedOptions[0].textContent}${score ? `, mean Dice ${score}` : ""}. ` +
      `At (${x}, ${y}, ${z}): target ${names(volumes.target)}, prediction ${names(volumes.prediction)}.`;
    planes.forEach(({ canvas, axis }) => canvas.setAttribute("aria-label",
      `${["Sagittal", "Coronal", "Axial"][axis]} slice ${at[axis] + 1} of ${shape[axis]}, ${chosen().id}, ${$("image").selectedOptions[0].textContent}`));
    root.dataset.drawn = String(Number(root.dataset.drawn || 0) + 1);
  };

  const load = async () => {
    const { images, target, arms } = chosen();
    const wanted = [images[Number($("image").value)][1], target, arms[Number($("arm").value)][2]];
    const [image, truth, prediction] = await Promise.all(wanted.map(decode));
    volumes = { image, target: truth, prediction };
    drawAll();
  };

  const options = (select, names) => {
    const before = select.selectedOptions[0]?.textContent;
    select.replaceChildren(...names.map((name, value) => new Option(name, value, false, name === before)));
  };

  const open = () => {
    const { images, arms, shape, start } = chosen();
    options($("image"), images.map(([name]) => name));
    options($("arm"), arms.map(([name]) => name));
    if (!open.chosen) $("image").value = chosen().clearest;
    open.chosen = true;
    at = [...start];
    measure();
    sliders.forEach((slider, axis) => { slider.max = shape[axis] - 1; });
    return load();
  };

  const go = (axis, value) => { at[axis] = Math.max(0, Math.min(chosen().shape[axis] - 1, value)); drawAll(); };

  planes.forEach(({ canvas, axis }) => {
    canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      at = place(axis, chosen().shape, Math.floor((event.clientX - box.left) / box.width * canvas.width),
        Math.floor((event.clientY - box.top) / box.height * canvas.height));
      [0, 1, 2].forEach((each) => { at[each] = Math.max(0, Math.min(chosen().shape[each] - 1, at[each])); });
      drawAll();
    });
    canvas.addEventListener("keydown", (event) => {
      const [right, up] = ACROSS[axis];
      const moves = { ArrowLeft: [right, 1], ArrowRight: [right, -1], ArrowUp: [up, 1], ArrowDown: [up, -1], PageUp: [axis, 1], PageDown: [axis, -1] };
      if (!(event.key in moves)) return;
      event.preventDefault();
      const [which, step] = moves[event.key];
      go(which, at[which] + step);
    });
  });
  sliders.forEach((slider, axis) => slider.addEventListener("input", () => go(axis, Number(slider.value))));
  ["target", "prediction", "opacity", "region"].forEach((name) => $(name).addEventListener("input", drawAll));
  ["image", "arm"].forEach((name) => $(name).addEventListener("change", load));
  $("case").addEventListener("change", open);
  open();
})();
