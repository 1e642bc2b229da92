// The random numbers of advisor/decide/acceptability.py, number by number: a hash of a counter (the finaliser of
// MurmurHash3) gives numbers between 0 and 1, and these give weights and utilities.
const sampling = (() => {
  const STEP = 0x9e3779b9;

  function uniform(seed, counter) {
    let x = Math.imul(counter, STEP) >>> 0;
    for (let round = 0; round < 2; round += 1) {
      x ^= seed;
      x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
      x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
      x ^= x >>> 16;
    }
    return ((x >>> 0) + 0.5) / 4294967296;
  }

  const A = [
    -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716,
    2.506628277459239,
  ];
  const B = [
    -54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1,
  ];
  const C = [
    -0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
    2.938163982698783,
  ];
  const D = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1];
  const horner = (coefficients, x) => coefficients.reduce((sum, c) => sum * x + c);

  // Inverse of the normal distribution (Acklam's rational approximation).
  function normal(u) {
    const edge = Math.min(u, 1 - u);
    if (edge >= 0.02425) {
      const centre = u - 0.5,
        square = centre * centre;
      return (centre * horner(A, square)) / horner(B, square);
    }
    const root = Math.sqrt(-2 * Math.log(edge)),
      tail = horner(C, root) / horner(D, root);
    return u < 0.5 ? tail : -tail;
  }

  // Write gamma numbers, from the cubes of normal numbers (Wilson & Hilferty 1931).
  function gamma(normals, shape, numbers) {
    const centre = 1 - 1 / (9 * shape),
      scale = 3 * Math.sqrt(shape);
    for (let d = 0; d < normals.length; d += 1) {
      const root = Math.max(0, centre + normals[d] / scale);
      numbers[d] = shape * (root * root * root);
    }
    return numbers;
  }

  // Powers of 1/2 in small steps of the exponent, so that `power` needs no exponential. The largest exponent of a draw
  // is half of 33: u has 32 bits, and the exponent of u is at most a half.
  const STEPS = 128,
    STEP_SIZE = Math.LN2 / STEPS,
    POWERS = Float64Array.from({ length: 17 * STEPS }, (_, j) => 2 ** (-j / STEPS));

  // What `spread` needs of n numbers u between 0 and 1, each computed once: their square roots, and their logarithms in
  // steps of POWERS. Numbers of 32 bits are exact enough, and the browser reads half as much.
  function uniforms(n, draw) {
    const arrayOf = (compute) => Float32Array.from({ length: n }, (_, d) => compute(draw(d)));
    const arrays = new Map(),
      once = (name, compute) => () => arrays.get(name) ?? arrays.set(name, arrayOf(compute)).get(name);
    return {
      roots: once("roots", Math.sqrt),
      rootsOfRest: once("rootsOfRest", (u) => Math.sqrt(1 - u)),
      logs: once("logs", (u) => -Math.log2(u) * STEPS),
      logsOfRest: once("logsOfRest", (u) => -Math.log2(1 - u) * STEPS),
    };
  }

  const shareOf = (low, mean, high) => Math.min(1, Math.max(0, (mean - low) / (high - low)));

  // Compute what `spread` needs for this interval.
  function prepare(low, mean, high, us) {
    const share = shareOf(low, mean, high);
    if (share < 1 / 3) us.logsOfRest();
    else if (share > 2 / 3) us.logs();
    else {
      us.roots();
      us.rootsOfRest();
    }
  }

  // Write numbers between low and high with this mean for numbers between 0 and 1: triangular if a triangle can have
  // the mean, else a power of the number.
  function spread(low, mean, high, us, numbers) {
    const width = high - low,
      share = shareOf(low, mean, high);
    if (share < 1 / 3) power(high, -width, share / (1 - share), us.logsOfRest(), numbers);
    else if (share > 2 / 3) power(low, width, (1 - share) / share, us.logs(), numbers);
    else triangle(low, width, Math.min(1, Math.max(0, 3 * share - 1)), us, numbers);
  }

  // Write start + width * u ** exponent; the logarithms are those of u. The exponential has 7 digits and takes a fifth
  // of the time of Math.exp.
  function power(start, width, exponent, logs, numbers) {
    for (let d = 0; d < numbers.length; d += 1) {
      const steps = exponent * logs[d],
        whole = steps | 0,
        rest = (whole - steps) * STEP_SIZE;
      numbers[d] = start + width * POWERS[whole] * (1 + rest * (1 + rest / 2));
    }
  }

  // Write triangular numbers with the peak at this share of the width: low + width * √(peak * u) below the peak,
  // high - width * √((1 - peak) * (1 - u)) above it. As min(a, b) = (a + b - |a - b|) / 2, the loop needs no branch, which
  // the processor would often guess wrong.
  function triangle(low, width, peak, us, numbers) {
    const roots = us.roots(),
      rest = us.rootsOfRest();
    const left = Math.sqrt(peak),
      right = Math.sqrt(1 - peak),
      middle = low + width / 2,
      below = (width / 2) * left,
      above = (width / 2) * right;
    for (let d = 0; d < numbers.length; d += 1) {
      const a = roots[d],
        b = rest[d];
      numbers[d] = middle + below * (a - Math.abs(a - left)) + above * (Math.abs(b - right) - b);
    }
  }

  return { uniform, uniforms, normal, gamma, prepare, spread };
})();
