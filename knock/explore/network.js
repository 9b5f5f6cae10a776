"use strict";

// A network, one picture at a time: what network.py describes, evaluated with typed arrays. Numbers
// lie in the order channels, height, width; sums are float64, like all numbers in JavaScript.

const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const floats = (text) => new Float32Array(bytes(text).buffer);

/** The numbers of float16, of which JavaScript has no arrays in every browser. */
function halves(text) {
  const powers = Float64Array.from({ length: 32 }, (_, exponent) => 2 ** (exponent - 25));
  return Float32Array.from(new Uint16Array(bytes(text).buffer), (half) => {
    const [exponent, fraction] = [(half >> 10) & 31, half & 1023];
    const size = exponent ? powers[exponent] * (1024 + fraction) : powers[1] * fraction;
    return half >> 15 ? -size : size;
  });
}

const ARRAYS = ["bias", "scale", "shift", "mean", "square"];

const unpacked = (layer) => {
  const found = { ...layer };
  if (layer.weight) found.weight = (layer.half ? halves : floats)(layer.weight);
  for (const name of ARRAYS) if (layer[name]) found[name] = floats(layer[name]);
  return found;
};

/** y = scale · x + shift, where `of` gives both for a channel's part of x. */
function byChannel(x, channels, of) {
  const area = x.length / channels;
  const y = new Float64Array(x.length);
  for (let channel = 0, at = 0; channel < channels; channel++) {
    const [scale, shift] = of(channel, x.subarray(at, at + area));
    for (const end = at + area; at < end; at++) y[at] = scale * x[at] + shift;
  }
  return y;
}

/** The mean of some numbers, and that of their squares. */
function moments(x) {
  let [sum, squares] = [0, 0];
  for (const value of x) {
    sum += value;
    squares += value * value;
  }
  return [sum / x.length, squares / x.length];
}

/** γ (x − μ) / √(σ² + ε) + β as a scale and a shift, of the mean of x and that of x². */
function normal(gamma, beta, mean, square, eps) {
  const scale = gamma / Math.sqrt(square - mean * mean + eps);
  return [scale, beta - scale * mean];
}

/** out += W x: W has `rows` rows, x and out have `across` numbers in each of theirs.
 *
 * W's number in row r and column c is at r · down + c · along. Four columns at once take a third
 * less time, as each number of out is read and written only once for them.
 */
function multiply(out, weight, rows, down, columns, along, x, across) {
  for (let row = 0; row < rows; row++) {
    const begin = row * across;
    let column = 0;
    for (; column + 3 < columns; column += 4) {
      const at = row * down + column * along;
      const [a, b] = [weight[at], weight[at + along]];
      const [c, d] = [weight[at + 2 * along], weight[at + 3 * along]];
      let first = column * across;
      for (let to = begin; to < begin + across; to++, first++) {
        out[to] +=
          a * x[first] +
          b * x[first + across] +
          c * x[first + 2 * across] +
          d * x[first + 3 * across];
      }
    }
    for (; column < columns; column++) {
      const w = weight[row * down + column * along];
      const from = column * across;
      for (let at = 0; at < across; at++) out[begin + at] += w * x[from + at];
    }
  }
}

/** Between a large map, on which a kernel slides, and a row of numbers for each number it covers.
 *
 * A row has a number for each place (i, j) of the kernel: the one at (stride·i + u − pad, stride·j
 * + v − pad) of a channel, and there is a row for each channel, u and v. They are read from the map
 * or, with `add`, added to it. What lies outside of the map counts as 0, or is lost.
 */
function covered(map, [maps, high, wide], rows, [, down, across], { kernel, stride, pad }, add) {
  let at = 0;
  for (let channel = 0; channel < maps; channel++) {
    for (let uv = 0; uv < kernel * kernel; uv++) {
      const [u, v] = [Math.floor(uv / kernel) - pad, (uv % kernel) - pad];
      for (let i = 0; i < down; i++) {
        const y = stride * i + u;
        const inside = y >= 0 && y < high;
        const line = (channel * high + y) * wide;
        for (let j = 0; j < across; j++, at++) {
          const x = stride * j + v;
          if (!inside || x < 0 || x >= wide) continue;
          if (add) map[line + x] += rows[at];
          else rows[at] = map[line + x];
        }
      }
    }
  }
}

/** The numbers that a layer's sums begin with: its bias, at all places of a channel. */
function begun({ out: [maps, high, wide], bias }) {
  const y = new Float64Array(maps * high * wide);
  if (bias) bias.forEach((one, map) => y.fill(one, map * high * wide, (map + 1) * high * wide));
  return y;
}

const evaluate = {
  // y = W x + b, one row of W after the other
  linear(x, { in: inputs, out: outputs, weight, bias }) {
    const y = new Float64Array(outputs);
    for (let row = 0, at = 0; row < outputs; row++) {
      let sum = bias ? bias[row] : 0;
      for (let column = 0; column < inputs; column++) sum += weight[at++] * x[column];
      y[row] = sum;
    }
    return y;
  },
  conv(x, layer) {
    const [maps, high, wide] = layer.out;
    const count = layer.in[0] * layer.kernel ** 2;
    const rows = new Float64Array(count * high * wide);
    covered(x, layer.in, rows, layer.out, layer, false);
    const y = begun(layer);
    multiply(y, layer.weight, maps, count, count, 1, rows, high * wide);
    return y;
  },
  // the same with the two maps exchanged, and the steps in the other order
  tconv(x, layer) {
    const [maps, high, wide] = layer.in;
    const count = layer.out[0] * layer.kernel ** 2;
    const rows = new Float64Array(count * high * wide);
    multiply(rows, layer.weight, count, 1, maps, count, x, high * wide);
    const y = begun(layer);
    covered(y, layer.out, rows, layer.in, layer, true);
    return y;
  },
  relu: (x) => x.map((value) => Math.max(value, 0)),
  leaky_relu: (x, { slope }) => x.map((value) => (value > 0 ? value : slope * value)),
  tanh: (x) => x.map(Math.tanh),
  sigmoid: (x) => x.map((value) => 1 / (1 + Math.exp(-value))),
  affine: (x, { scale, shift }) => byChannel(x, scale.length, (c) => [scale[c], shift[c]]),
  // by the picture's own statistics, over all channels
  layer_norm(x, { scale, shift, eps }) {
    const [mean, square] = moments(x);
    return byChannel(x, scale.length, (c) => normal(scale[c], shift[c], mean, square, eps));
  },
  // by those of a batch of reference, in which the picture counts as one row more
  virtual_norm: (x, { scale, shift, eps, mean, square, share }) =>
    byChannel(x, scale.length, (c, own) => {
      const [first, second] = moments(own);
      const joined = (ours, theirs) => share * ours + (1 - share) * theirs;
      return normal(scale[c], shift[c], joined(first, mean[c]), joined(second, square[c]), eps);
    }),
  upsample(x, { in: [maps, high, wide], times }) {
    const y = new Float64Array(x.length * times * times);
    for (let row = 0, at = 0; row < maps * high * times; row++) {
      const from = Math.floor(row / times) * wide;
      for (let column = 0; column < wide * times; column++) {
        y[at++] = x[from + Math.floor(column / times)];
      }
    }
    return y;
  },
  keep(x, { of }, kept) {
    kept[of] = x;
    return x;
  },
  restore: (x, { of }, kept) => kept[of],
  add: (x, { of }, kept) => x.map((value, at) => value + kept[of][at]),
  concat(x, { of }, kept) {
    const y = new Float64Array(x.length + kept[of].length);
    y.set(x);
    y.set(kept[of], x.length);
    return y;
  },
};

/** A function from a network's input to the grey levels 0 … 255 of its picture, in C, H, W order.
 *
 * What the network makes lies between the two numbers of `range`.
 */
function networkOf({ layers, range: [black, white] }) {
  const ready = layers.map(unpacked);
  return (input) => {
    const kept = {};
    const made = ready.reduce((x, layer) => evaluate[layer.layer](x, layer, kept), input);
    // this kind of array clips, and rounds to the nearest whole number
    return Uint8ClampedArray.from(made, (value) => (255 * (value - black)) / (white - black));
  };
}
