"use strict";

// The page of a generator: a noise, the picture that is made of it, and ways to other noises.

const make = networkOf(content.generator);
const { distribution, mean: centre, deviation } = content.noise;
const classes = content.classes;

// ---- The place: a noise and a class -----------------------------------------------------------

const FINE = 2048; // a noise is a multiple of 1 / FINE, so that a link has all of it
const FARTHEST = 32767 / FINE;

const fine = (value) => Math.round(Math.max(-FARTHEST, Math.min(FARTHEST, value)) * FINE) / FINE;

let z = Float64Array.from(floats(content.first), fine);
let label = 0;

/** A noise as it was drawn in training. */
function drawn() {
  // Box and Muller: a normal number from two uniform ones
  const one =
    distribution === "normal"
      ? () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random())
      : () => content.noise.low + (content.noise.high - content.noise.low) * Math.random();
  return Float64Array.from({ length: size }, one);
}

/** A way from a to b, t from 0 to 1, on which every place is as likely as a noise: see walk.py. */
function between(a, b, t) {
  const [from, to] =
    distribution === "normal"
      ? [Math.cos((t * Math.PI) / 2), Math.sin((t * Math.PI) / 2)]
      : [1 - t, t];
  return a.map((value, i) => from * value + to * b[i]);
}

/** The grey levels of the picture at a place. */
function picture(noise, of = label) {
  const input = new Float64Array(size + classes.length);
  input.set(noise);
  if (classes.length) input[size + of] = 1;
  return make(input);
}

// ---- Directions -------------------------------------------------------------------------------

const REACH = 3; // standard deviations of the noise, which every slider counts in

/** A direction of a vector, one standard deviation of the noise long. */
function direction(vector, name) {
  const length = Math.hypot(...vector);
  return { name, vector: Float64Array.from(vector, (value) => (value / length) * deviation) };
}

/** How far a noise lies along a direction, from the middle of all noises. */
const along = (noise, { vector }) =>
  vector.reduce((sum, value, i) => sum + value * (noise[i] - centre), 0) / deviation ** 2;

const moved = (noise, { vector }, by) => noise.map((value, i) => value + by * vector[i]);

const principal = content.directions.filter(({ name }) => name === undefined);
const directions = content.directions.map(({ vector, name }, place) =>
  direction(floats(vector), name ?? `direction ${place + 1}`),
);
const labelOf = (place) =>
  place < principal.length ? String(place + 1) : directions[place].name;
const random = () => {
  const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  return direction(Float64Array.from({ length: size }, normal), "at random");
};

// ---- Moving, and the way back -----------------------------------------------------------------

const places = []; // where somebody has been before
const PLACES = 500;
const RESTED = 700; // milliseconds
let lately = -Infinity; // when something moved last

/** Go to a noise, and to a class.
 *
 * The place before is kept for the way back, if this is a jump from it, or if somebody has rested
 * there: a slider that is pulled leaves one place, not hundreds.
 */
function go(noise, { to = label, jump = true } = {}) {
  const now = performance.now();
  if (jump || now - lately > RESTED) places.push({ z, label });
  if (places.length > PLACES) places.shift();
  lately = now;
  [z, label] = [noise.map(fine), to];
  update();
}

function back() {
  stop();
  if (!places.length) return;
  ({ z, label } = places.pop());
  lately = performance.now();
  update();
}

const newPicture = () => {
  go(drawn());
  if (walking) begin();
};

// ---- What is shown ----------------------------------------------------------------------------

/** Redraw all that depends on the place. */
function update() {
  const began = performance.now();
  paint(element("picture"), picture(z));
  cost = performance.now() - began;
  for (const { show } of rows) show();
  element("back").disabled = !places.length;
  [...element("classes").children].forEach((button, place) =>
    button.setAttribute("aria-pressed", String(place === label)),
  );
  refresh();
  keepLink();
  const told = classes.length ? [`class ${classes[label]}`] : [];
  element("where").replaceChildren(...spans(told));
  say(() => [...told, ...shown.map((one) => `${one.name} ${number(along(z, one))}`)].join(", "));
}

// The neighbours: they are redrawn one by one, a few in each frame, so that the page never waits.

const AROUND = 2; // steps to each side
const SLICE = 8; // milliseconds of each frame
let cost = 0; // milliseconds for one picture
const cells = [];
let shown = [directions[0], directions[1] ?? directions[0]]; // across, up
const step = () => Number(element("step").value);

for (let up = AROUND; up >= -AROUND; up--) {
  for (let across = -AROUND; across <= AROUND; across++) {
    const button = document.createElement("button");
    button.type = "button";
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    canvas.setAttribute("aria-hidden", "true");
    button.append(canvas);
    button.addEventListener("click", () => choose(across, up));
    element("neighbours").append(button);
    cells.push({ button, canvas, across, up });
  }
}
const middle = (cells.length - 1) / 2;

const neighbour = (across, up) =>
  moved(moved(z, shown[0], across * step()), shown[1], up * step());

function choose(across, up, jump = true) {
  stop();
  go(neighbour(across, up), { jump });
}

let [next, stale, frame] = [0, 0, 0];

function refresh() {
  stale = cells.length;
  if (walking && cost > SLICE) return; // on a slow machine, they wait for the end of a walk
  if (!frame) frame = requestAnimationFrame(redraw);
}

function redraw() {
  const until = performance.now() + SLICE;
  do {
    const { canvas, across, up } = cells[next];
    paint(canvas, picture(neighbour(across, up)));
    next = (next + 1) % cells.length;
    stale--;
  } while (stale > 0 && performance.now() < until);
  frame = stale > 0 ? requestAnimationFrame(redraw) : 0;
}

const steps = (count) => `${count < 0 ? "−" : "+"}${Math.abs(count)}`;

/** The names of the neighbours, which depend on the two directions. */
function nameNeighbours() {
  for (const { button, across, up } of cells) {
    const way = [[shown[0], across], [shown[1], up]]
      .filter(([, count]) => count)
      .map(([{ name }, count]) => `${name} ${steps(count)}`);
    button.setAttribute("aria-label", way.join(", ") || "the picture itself");
    button.title = way.join(", ");
  }
}

// One of the neighbours can be reached with Tab, and arrow keys go from one to the next.
let focused = middle;

function focusOn(place, focus = true) {
  focused = place;
  cells.forEach(({ button }, i) => (button.tabIndex = i === place ? 0 : -1));
  if (focus) cells[place].button.focus();
}
focusOn(middle, false);

element("neighbours").addEventListener("keydown", (event) => {
  if (isBrowsers(event) || !(event.key in arrows)) return;
  const side = 2 * AROUND + 1;
  const [right, above] = arrows[event.key];
  const [column, row] = [(focused % side) + right, Math.floor(focused / side) - above];
  if (column >= 0 && column < side && row >= 0 && row < side) focusOn(row * side + column);
  event.preventDefault(); // do not scroll the page
});
element("neighbours").addEventListener("focusin", (event) => {
  const place = cells.findIndex(({ button }) => button === event.target);
  if (place >= 0) focusOn(place, false);
});

for (const [axis, id] of ["across", "up"].entries()) {
  const select = element(id);
  directions.forEach((_, place) => select.add(new Option(labelOf(place), place)));
  select.add(new Option("at random", "random"));
  select.value = Math.min(axis, directions.length - 1);
  select.addEventListener("change", () => {
    shown[axis] = select.value === "random" ? random() : directions[Number(select.value)];
    nameNeighbours();
    refresh();
  });
}
element("step").addEventListener("change", refresh);

// ---- A row for each direction, and a button for each class ------------------------------------

const rows = directions.map((one, id) =>
  sliderRow({
    id,
    label: labelOf(id),
    spoken: one.name,
    low: -REACH,
    high: REACH,
    band: [-2, 2],
    step: 0.05,
    value: () => along(z, one),
    move: (value) => {
      stop();
      const wanted = Math.max(-REACH, Math.min(REACH, value));
      go(moved(z, one, wanted - along(z, one)), { jump: false });
    },
    rest: () => update(),
  }),
);
rows.slice(principal.length).forEach(({ row }) => row.classList.add("named"));

classes.forEach((name, to) => {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = name;
  button.addEventListener("click", () => go(z, { to }));
  element("classes").append(button);
});

// ---- Walking ----------------------------------------------------------------------------------

const still = window.matchMedia("(prefers-reduced-motion: reduce)");
const noisesASecond = () => 0.3 * 4 ** element("pace").valueAsNumber;
let walking = null; // from where, to where, how far, when that was, what comes next

function begin() {
  stop();
  walking = { from: z, to: drawn(), share: 0, at: performance.now(), later: 0 };
  wait();
  showWalk();
}

/** Who wants little motion sees one picture after the other, a second apart. */
function wait() {
  walking.later = still.matches
    ? setTimeout(() => onwards(performance.now()), 1000)
    : requestAnimationFrame(onwards);
}

function onwards(now) {
  const { from, to } = walking;
  walking.share += (Math.max(0, now - walking.at) / 1000) * noisesASecond();
  walking.at = now;
  if (walking.share >= 1) Object.assign(walking, { from: to, to: drawn(), share: walking.share % 1 });
  go(between(walking.from, walking.to, walking.share), { jump: false });
  if (walking) wait();
}

function stop() {
  if (!walking) return;
  cancelAnimationFrame(walking.later);
  clearTimeout(walking.later);
  walking = null;
  showWalk();
  refresh();
}

function showWalk() {
  element("walk").textContent = walking ? "Stop" : "Walk";
}

const toggle = () => {
  if (walking) return stop();
  places.push({ z, label });
  begin();
};

function showPace() {
  const seconds = 1 / noisesASecond();
  const words = `${seconds.toFixed(seconds < 2 ? 1 : 0)} seconds from noise to noise`;
  element("pace").setAttribute("aria-valuetext", words);
  element("pace").title = words;
}
element("pace").addEventListener("input", showPace);

// ---- The link, and the picture as a file ------------------------------------------------------

let linking = 0;
let link = ""; // the address's part after #, as we have written it

const encoded = () => {
  const raw = new Uint8Array(Int16Array.from(z, (value) => Math.round(value * FINE)).buffer);
  const text = btoa(String.fromCharCode(...raw)).replace(/\+/g, "-").replace(/\//g, "_");
  return `#z=${text.replace(/=+$/, "")}${classes.length ? `&class=${label}` : ""}`;
};

/** Write the place into the address, once it rests: browsers refuse to do that all the time. */
function keepLink() {
  clearTimeout(linking);
  linking = setTimeout(() => {
    link = encoded();
    history.replaceState(null, "", link);
  }, 300);
}

/** The place that the address names; null where it names none of this page. */
function linked() {
  const words = new URLSearchParams(location.hash.slice(1));
  const text = (words.get("z") ?? "").replace(/-/g, "+").replace(/_/g, "/");
  let raw;
  try {
    raw = bytes(text);
  } catch {
    return null; // no base64
  }
  const to = Number(words.get("class") ?? 0);
  if (raw.length !== 2 * size || !(to === 0 || classes[to] !== undefined)) return null;
  return { noise: Float64Array.from(new Int16Array(raw.buffer), (whole) => whole / FINE), to };
}

window.addEventListener("hashchange", () => {
  const found = location.hash === link ? null : linked();
  if (!found) return;
  stop();
  go(found.noise, found);
});

const LARGE = 256; // pixels: a saved picture's shorter side is at least that

function save() {
  const times = Math.max(1, Math.ceil(LARGE / Math.min(width, height)));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [times * width, times * height];
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = false;
  pen.drawImage(element("picture"), 0, 0, canvas.width, canvas.height);
  const anchor = document.createElement("a");
  anchor.href = canvas.toDataURL("image/png");
  anchor.download = `${content.question}_${content.dataset}.png`;
  anchor.click();
}

// ---- Buttons and keys -------------------------------------------------------------------------

const doing = { n: newPicture, b: back, s: save, " ": toggle };
for (const [id, key] of [["draw", "n"], ["back", "b"], ["save", "s"], ["walk", " "]]) {
  element(id).addEventListener("click", doing[key]);
}

element("stage").addEventListener("keydown", (event) => {
  if (isBrowsers(event)) return;
  const key = event.key.toLowerCase();
  if (event.key in arrows) {
    const [right, above] = arrows[event.key].map((sign) => sign * (event.shiftKey ? 2 : 1));
    choose(right, above, false);
  } else if (key in doing) {
    doing[key]();
  } else if (/^[0-9]$/.test(key) && classes[key] !== undefined) {
    go(z, { to: Number(key) });
  } else {
    return;
  }
  event.preventDefault(); // do not scroll the page
});

// ---- Texts, and the first picture -------------------------------------------------------------

element("facts").append(...spans([`weights as ${content.numbers}`]));
element("digit-keys").hidden = !classes.length;
const carried = principal.reduce((sum, { share }) => sum + share, 0);
const named = directions.length > principal.length;
element("slider-help").textContent =
  `What a slider is: of ${grouped(content.noises)} noises, the generator's first layer makes ` +
  `${grouped(content.units)} numbers each. The numbered sliders are the directions of noise that ` +
  "change these numbers most, the strongest first: their principal components, traced back to the " +
  `noise. Together they stand for ${Math.round(100 * carried)} % of the change. Sliders count in ` +
  "standard deviations of the noise; within the band lie 95 noises of 100." +
  (named ? " The directions with names are those of directions.safetensors beside the run." : "");
element("walk-help").textContent =
  `A walk goes from noise to noise, ${distribution === "normal" ? "each time on an arc" : "in straight lines"}: ` +
  `this noise is ${distribution}, and so every place on the way is one that noise may have` +
  `${still.matches ? ". As your system asks for little motion, there is a picture each second" : ""}.`;

({ noise: z, to: label } = linked() ?? { noise: z, to: label });
showPace();
nameNeighbours();
update();
