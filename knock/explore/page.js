"use strict";

// What both pages have: the content, their texts, pictures and sliders.

const content = JSON.parse(document.getElementById("content").textContent);
const [channels, height, width] = content.image;
const size = content.z;

const element = (id) => document.getElementById(id);

/** A span for each text, and after each a space, where a line may break. */
const spans = (texts) =>
  texts.flatMap((text) => [
    Object.assign(document.createElement("span"), { textContent: text }),
    " ",
  ]);

const grouped = (whole) => String(whole).replace(/\B(?=(\d{3})+$)/g, "\u202f"); // 10 000
const number = (value) => (value < -0.004999 ? "−" : "") + Math.abs(value).toFixed(2);

element("title").textContent = content.title;
const { z: _, ...constants } = content.constants;
element("facts").append(
  ...spans([
    content.dataset,
    `${grouped(content.step)} steps in ${content.framework}`,
    ...Object.entries({ z: size, ...constants }).map(
      ([name, value]) => `${name === "beta" ? "β" : name} = ${value}`,
    ),
    `seed ${content.seed}`,
  ]),
);

// ---- Pictures ---------------------------------------------------------------------------------

/** Draw grey levels in the order C, H, W on a canvas, which becomes as large as the picture. */
function paint(canvas, levels) {
  if (canvas.width !== width || canvas.height !== height) {
    [canvas.width, canvas.height] = [width, height];
  }
  const area = width * height;
  const pixels = new ImageData(width, height);
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = levels[channels === 3 ? c * area + i : i];
    pixels.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

// ---- Keys, and what a screen reader says ------------------------------------------------------

const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const isBrowsers = (event) => event.altKey || event.ctrlKey || event.metaKey; // its own keys

let saying = 0;

/** A screen reader says where something stops, not every place on the way. */
function say(words) {
  clearTimeout(saying);
  saying = setTimeout(() => (element("said").textContent = words()), 500);
}

// ---- A slider and a number for each direction -------------------------------------------------

/** A row with a slider and a number, both from `low` to `high`, for what is called `spoken`.
 *
 * `label` is its HTML, `band` the range of usual values. Keys move it by `step`, with Shift by ten
 * times as much. `move` gets a wanted value; `show` of the row shows one. `rest` is called where a
 * field is left, perhaps half-typed.
 */
function sliderRow({ id, label, spoken, low, high, band, step, value, move, rest }) {
  const row = document.createElement("div");
  row.innerHTML = `
    <label for="z${id}"></label>
    <span class="track"><b></b><input type="range" id="z${id}" step="any"></span>
    <input type="number" id="n${id}" inputmode="decimal">`;
  row.querySelector("label").append(label);
  const [slider, field] = row.querySelectorAll("input");
  const percent = (one) => `${(100 * (one - low)) / (high - low)}%`;
  row.querySelector("b").style.left = percent(band[0]);
  row.querySelector("b").style.right = `calc(100% - ${percent(band[1])})`;
  for (const input of [slider, field]) [input.min, input.max] = [low, high];
  field.step = step;
  field.setAttribute("aria-label", `${spoken}, number`);
  slider.addEventListener("input", () => move(slider.valueAsNumber));
  slider.addEventListener("keydown", (event) => {
    // the same steps as elsewhere on the page, in every browser
    if (!(event.key in arrows) || isBrowsers(event)) return;
    const [right, above] = arrows[event.key];
    move(value() + (right + above) * (event.shiftKey ? 10 : 1) * step);
    event.preventDefault();
  });
  field.addEventListener("input", () => {
    if (Number.isFinite(field.valueAsNumber)) move(field.valueAsNumber);
  });
  field.addEventListener("blur", rest);
  element("sliders").append(row);
  const show = () => {
    slider.value = value();
    slider.setAttribute("aria-valuetext", number(value()));
    if (document.activeElement !== field) field.value = value().toFixed(2);
  };
  return { row, show };
}
