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

  // Numbers between 0 and 1 with the logarithms that a power of them needs, each computed once: a power is four times
  // as slow as an exponential.
  function uniforms(n, draw) {
    const values = Float64Array.from({ length: n }, (_, d) => draw(d));
    let logs = null,
      logsOfRest = null;
    return {
      values,
      logs: () => (logs ??= values.map(Math.log)),
      logsOfRest: () => (logsOfRest ??= values.map((u) => Math.log(1 - u))),
    };
  }

  const shareOf = (low, mean, high) => Math.min(1, Math.max(0, (mean - low) / (high - low)));

  // Compute the logarithms that `spread` needs for this interval.
  function prepare(low, mean, high, us) {
    const share = shareOf(low, mean, high);
    if (share < 1 / 3) us.logsOfRest();
    else if (share > 2 / 3) us.logs();
  }

  // Write numbers between low and high with this mean for numbers between 0 and 1: triangular if a triangle can have
  // the mean, else a power of the number.
  function spread(low, mean, high, us, numbers) {
    const width = high - low,
      share = shareOf(low, mean, high),
      n = numbers.length;
    if (share < 1 / 3) {
      const exponent = share / (1 - share),
        logs = us.logsOfRest();
      for (let d = 0; d < n; d += 1) numbers[d] = low + width * (1 - Math.exp(exponent * logs[d]));
    } else if (share > 2 / 3) {
      const exponent = (1 - share) / share,
        logs = us.logs();
      for (let d = 0; d < n; d += 1) numbers[d] = low + width * Math.exp(exponent * logs[d]);
    } else {
      const turn = Math.min(1, Math.max(0, 3 * share - 1)),
        { values } = us;
      for (let d = 0; d < n; d += 1) {
        const u = values[d];
        numbers[d] =
          u <= turn ? low + Math.sqrt(u * turn) * width : high - Math.sqrt((1 - u) * (1 - turn)) * width;
      }
    }
  }

  return { uniform, uniforms, normal, gamma, prepare, spread };
})();
