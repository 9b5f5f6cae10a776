"use strict";

// The page of question 04: a point in the latent plane, and what the decoder makes of it.

const draw = networkOf(content.decoder);

// ---- The test set -----------------------------------------------------------------------------

const means = floats(content.means); // N×z
const labels = new Uint16Array(bytes(content.labels).buffer);
const places = new Uint32Array(bytes(content.sheet.places).buffer);
const count = labels.length;
const classes = content.classes;
const mean = (i, axis) => means[i * size + axis];

function quantiles(values, ...shares) {
  const sorted = Float32Array.from(values).sort();
  return shares.map((share) => sorted[Math.round(share * (sorted.length - 1))]);
}

const nearPicture = element("near-picture");
nearPicture.width = width;
nearPicture.height = height;
const sheet = new Image();
sheet.onload = () => update();
let near = 0; // the place of the nearest picture on the sheet

function drawNearest() {
  let least = Infinity;
  for (let i = 0; i < places.length; i++) {
    let square = 0;
    for (let axis = 0; axis < size; axis++) square += (mean(places[i], axis) - z[axis]) ** 2;
    if (square < least) [least, near] = [square, i];
  }
  const { columns } = content.sheet;
  const [left, top] = [(near % columns) * width, Math.floor(near / columns) * height];
  nearPicture
    .getContext("2d")
    .drawImage(sheet, left, top, width, height, 0, 0, width, height);
  element("near-name").textContent = classes[labels[places[near]]] ?? "";
  element("near-distance").textContent = `at a distance of ${Math.sqrt(least).toFixed(2)}`;
}

// ---- The plane --------------------------------------------------------------------------------

const reach = content.reach; // every axis goes from −reach to reach
const z = new Float64Array(size); // the point's coordinates
let [across, up] = [content.axes[0], content.axes[1] ?? null]; // the dimensions that are shown
let only = null; // the class selected in the legend

const plane = element("plane");
const scatter = element("scatter");
const handle = element("handle");
const margin = { left: 34, right: 10, top: 14, bottom: 30 }; // CSS pixels, with the axes' numbers
let side = 0; // of the plane, in CSS pixels

// With one dimension, each class has a horizontal band, and a multiplicative sequence that never
// repeats scatters the dots within a band.
const bands = Math.max(1, classes.length);
const inBand = (i) =>
  reach * (1 - (2 * (labels[i] + 0.15 + 0.7 * ((i * 0.6180339887) % 1))) / bands);
const upwards = (i) => (up === null ? inBand(i) : mean(i, up));

const inner = () => ({
  w: side - margin.left - margin.right,
  h: side - margin.top - margin.bottom,
});
const toX = (value) => margin.left + ((value + reach) / (2 * reach)) * inner().w;
const toY = (value) => margin.top + ((reach - value) / (2 * reach)) * inner().h;
const fromX = (x) => ((x - margin.left) / inner().w) * 2 * reach - reach;
const fromY = (y) => reach - ((y - margin.top) / inner().h) * 2 * reach;
const within = (value) => Math.min(reach, Math.max(-reach, value));

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const classColours = () => style("--classes").split(/\s+/);

/** The distance between the marks of an axis: 1, 2 or 5 times a power of ten, about four per side. */
function spacing() {
  const rough = reach / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
}

function drawScatter() {
  side = plane.clientWidth;
  const ratio = window.devicePixelRatio || 1;
  scatter.width = scatter.height = Math.round(side * ratio); // one canvas pixel per screen pixel
  const pen = scatter.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, side, side);
  drawAxes(pen);
  drawDots(pen);
  placeLabels();
}

function drawAxes(pen) {
  const { w, h } = inner();
  const every = spacing();
  pen.lineWidth = 1;
  pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  for (let k = Math.ceil(-reach / every); k * every <= reach; k++) {
    const value = k * every;
    const text = String(Number(value.toFixed(6))).replace("-", "−");
    pen.strokeStyle = style(k === 0 ? "--ring" : "--line");
    pen.fillStyle = style("--quiet");
    pen.beginPath();
    pen.moveTo(Math.round(toX(value)) + 0.5, margin.top);
    pen.lineTo(Math.round(toX(value)) + 0.5, margin.top + h);
    pen.textAlign = "center";
    pen.textBaseline = "top";
    pen.fillText(text, toX(value), side - margin.bottom + 10);
    if (up !== null) {
      pen.moveTo(margin.left, Math.round(toY(value)) + 0.5);
      pen.lineTo(margin.left + w, Math.round(toY(value)) + 0.5);
      pen.textAlign = "right";
      pen.textBaseline = "middle";
      pen.fillText(text, margin.left - 8, toY(value));
    }
    pen.stroke();
  }
  if (up === null) return;
  pen.strokeStyle = style("--ring");
  pen.setLineDash([3, 4]);
  for (const deviations of [1, 2]) {
    pen.beginPath();
    pen.arc(toX(0), toY(0), toX(deviations) - toX(0), 0, 2 * Math.PI);
    pen.stroke();
  }
  pen.setLineDash([]);
}

function drawDots(pen) {
  const colours = classColours();
  const radius = Math.min(4.5, Math.max(1.6, (side / 600) * (60 / Math.sqrt(count)) * 1.4 + 1));
  const dots = (wanted, alpha) => {
    pen.globalAlpha = alpha;
    for (let i = 0; i < count; i++) {
      if (!wanted(labels[i])) continue;
      pen.fillStyle = colours[labels[i] % colours.length];
      pen.beginPath();
      pen.arc(toX(mean(i, across)), toY(upwards(i)), radius, 0, 2 * Math.PI);
      pen.fill();
    }
  };
  if (only === null) {
    dots(() => true, count > 2000 ? 0.62 : 0.8);
  } else {
    dots((label) => label !== only, 0.09);
    dots((label) => label === only, 0.85);
  }
  pen.globalAlpha = 1;
}

/** Put every class's name at the median of its dots, unless another name is already there. */
function placeLabels() {
  const box = element("labels");
  box.replaceChildren();
  const taken = [];
  classes.forEach((name, label) => {
    if (only !== null && only !== label) return;
    const members = [...labels.keys()].filter((i) => labels[i] === label);
    if (!members.length) return;
    const [x] = quantiles(members.map((i) => mean(i, across)), 0.5);
    const [y] = quantiles(members.map(upwards), 0.5);
    const [left, top, half] = [toX(x), toY(y), 6 + 4 * name.length];
    const clash = taken.some((t) => Math.abs(t.top - top) < 18 && Math.abs(t.left - left) < t.half + half);
    if (clash) return;
    taken.push({ left, top, half });
    const span = document.createElement("span");
    span.textContent = name;
    span.style.left = `${left}px`;
    span.style.top = `${top}px`;
    box.append(span);
  });
}

// ---- Moving the point -------------------------------------------------------------------------

const digits = ["₀", "₁", "₂", "₃", "₄", "₅", "₆", "₇", "₈", "₉"];
const axisName = (axis) => "z" + [...String(axis + 1)].map((digit) => digits[digit]).join("");
const small = spacing() / 20; // one step of the arrow keys; with Shift ten times as much

/** Redraw everything that depends on z. */
function update() {
  paint(element("picture"), draw(z));
  drawNearest();
  const [x, y] = [toX(z[across]), up === null ? toY(0) : toY(z[up])];
  handle.style.transform = `translate(${x}px, ${y}px)`;
  const shown = up === null ? [across] : [across, up];
  const where = shown.map((axis) => `${axisName(axis)} = ${number(z[axis])}`);
  element("where").replaceChildren(...spans(where));
  for (const { show } of rows) show();
  say(() => {
    const name = element("near-name").textContent;
    return (name ? [...where, `nearest test picture: ${name}`] : where).join(", ");
  });
}

function moveTo(changes) {
  for (const [axis, value] of changes) z[axis] = within(value);
  update();
}

function moveToPointer(event) {
  const box = plane.getBoundingClientRect();
  const changes = [[across, fromX(event.clientX - box.left)]];
  if (up !== null) changes.push([up, fromY(event.clientY - box.top)]);
  moveTo(changes);
}

let pointer = null; // the one that drags: a second finger does not move the point

plane.addEventListener("pointerdown", (event) => {
  if (pointer !== null || event.button !== 0) return;
  pointer = event.pointerId;
  plane.setPointerCapture(pointer);
  plane.classList.add("dragged");
  plane.focus({ preventScroll: true });
  moveToPointer(event);
  event.preventDefault(); // no text selection, no picture dragged
});
plane.addEventListener("pointermove", (event) => {
  if (event.pointerId === pointer) moveToPointer(event);
});
for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
  plane.addEventListener(end, (event) => {
    if (event.pointerId !== pointer) return;
    pointer = null;
    plane.classList.remove("dragged");
  });
}

plane.addEventListener("keydown", (event) => {
  if (isBrowsers(event)) return;
  if (event.key === "Home") {
    reset();
  } else if (event.key in arrows) {
    const [right, above] = arrows[event.key].map(
      (sign) => sign * (event.shiftKey ? 10 * small : small),
    );
    const changes = [[across, z[across] + right]];
    if (up !== null) changes.push([up, z[up] + above]);
    moveTo(changes);
  } else {
    return;
  }
  event.preventDefault(); // do not scroll the page
});

function reset() {
  z.fill(0);
  update();
}
element("reset").addEventListener("click", reset);

element("draw").addEventListener("click", () => {
  // Box and Muller: a normal number from two uniform ones
  const normal = () =>
    Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  moveTo([...z.keys()].map((axis) => [axis, normal()]));
});

element("nearest").addEventListener("click", () => {
  moveTo([...z.keys()].map((axis) => [axis, mean(places[near], axis)]));
});

// ---- A row for each dimension -------------------------------------------------

const rows = [...z.keys()].map((axis) => {
  const label = document.createElement("span");
  label.innerHTML = `z<sub>${axis + 1}</sub>`;
  return sliderRow({
    id: axis,
    label,
    spoken: axisName(axis),
    low: -reach,
    high: reach,
    band: quantiles([...labels.keys()].map((i) => mean(i, axis)), 0.05, 0.95),
    step: small,
    value: () => z[axis],
    move: (value) => moveTo([[axis, value]]),
    rest: update,
  });
});

// ---- Which dimensions are shown, and which class ----------------------------------------------

function showAxes() {
  rows.forEach(({ row }, axis) => row.classList.toggle("shown", axis === across || axis === up));
  plane.setAttribute(
    "aria-label",
    up === null ? "Latent line" : `Latent plane, ${axisName(across)} across, ${axisName(up)} up`,
  );
  drawScatter();
  update();
}

if (size > 2) {
  element("axes").hidden = false;
  for (const [id, chosen] of [["across", across], ["up", up]]) {
    const select = element(id);
    for (let axis = 0; axis < size; axis++) select.add(new Option(axisName(axis), axis));
    select.value = chosen;
    select.addEventListener("change", () => {
      const before = [across, up];
      [across, up] = [Number(element("across").value), Number(element("up").value)];
      if (across === up) [across, up] = [before[1], before[0]]; // the same dimension twice: swap
      element("across").value = across;
      element("up").value = up;
      showAxes();
    });
  }
}

if (classes.length > 1) {
  classes.forEach((name, label) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    button.append(document.createElement("i"), name);
    button.addEventListener("click", () => {
      only = only === label ? null : label;
      [...element("legend").children].forEach((other, place) =>
        other.setAttribute("aria-pressed", String(place === only)),
      );
      drawScatter();
    });
    element("legend").append(button);
  });
}

function colourLegend() {
  const colours = classColours();
  [...element("legend").children].forEach((button, label) => {
    button.firstChild.style.background = colours[label % colours.length];
  });
}

// ---- Texts, and the first picture -------------------------------------------------------------

element("near-kind").textContent =
  places.length === count
    ? "Nearest test picture"
    : `Nearest of ${grouped(places.length)} test pictures`;

element("rings").hidden = up === null;

colourLegend();
new ResizeObserver(showAxes).observe(plane);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  colourLegend();
  drawScatter();
});
/** Redraw when the screen's density or the zoom changes: the canvas needs other pixels then. */
function watchDensity() {
  const query = window.matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
  query.addEventListener("change", () => { drawScatter(); watchDensity(); }, { once: true });
}
watchDensity();
showAxes();
sheet.src = `data:image/png;base64,${content.sheet.png}`;
