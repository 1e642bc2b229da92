// The draws of advisor/scoring.py, number by number: Python's random.Random (Mersenne Twister,
// Matsumoto & Nishimura 1998) with its gammavariate and triangular.
const sampling = (() => {
  const N = 624, M = 397;

  class Twister {
    // words: the seed as 32-bit words, lowest first (init_by_array).
    constructor(words) {
      this.state = new Uint32Array(N);
      const s = this.state;
      s[0] = 19650218;
      for (let i = 1; i < N; i += 1) s[i] = Math.imul(1812433253, s[i - 1] ^ (s[i - 1] >>> 30)) + i;
      let i = 1, j = 0;
      const key = words.length ? words : [0];
      for (let k = Math.max(N, key.length); k > 0; k -= 1) {
        s[i] = (s[i] ^ Math.imul(s[i - 1] ^ (s[i - 1] >>> 30), 1664525)) + key[j] + j;
        i += 1; j += 1;
        if (i >= N) { s[0] = s[N - 1]; i = 1; }
        if (j >= key.length) j = 0;
      }
      for (let k = N - 1; k > 0; k -= 1) {
        s[i] = (s[i] ^ Math.imul(s[i - 1] ^ (s[i - 1] >>> 30), 1566083941)) - i;
        i += 1;
        if (i >= N) { s[0] = s[N - 1]; i = 1; }
      }
      s[0] = 0x80000000;
      this.at = N;
    }

    word() {
      const s = this.state;
      if (this.at >= N) {
        for (let k = 0; k < N; k += 1) {
          const y = (s[k] & 0x80000000) | (s[(k + 1) % N] & 0x7fffffff);
          s[k] = s[(k + M) % N] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
        }
        this.at = 0;
      }
      let y = s[this.at];
      this.at += 1;
      y ^= y >>> 11;
      y ^= (y << 7) & 0x9d2c5680;
      y ^= (y << 15) & 0xefc60000;
      return (y ^ (y >>> 18)) >>> 0;
    }

    random() {
      const a = this.word() >>> 5, b = this.word() >>> 6;
      return (a * 67108864 + b) / 9007199254740992;
    }
  }

  // Cheng 1977 above 1, Ahrens & Dieter's GS (Kennedy & Gentle 1980) below.
  function gamma(source, alpha) {
    if (alpha === 1) return -Math.log(1 - source.random());
    if (alpha > 1) {
      const root = Math.sqrt(2 * alpha - 1), b = alpha - Math.log(4), c = alpha + root;
      for (;;) {
        const u1 = source.random();
        if (!(u1 > 1e-7 && u1 < 0.9999999)) continue;
        const u2 = 1 - source.random();
        const v = Math.log(u1 / (1 - u1)) / root, x = alpha * Math.exp(v), z = u1 * u1 * u2;
        const r = b + c * v - x;
        if (r + (1 + Math.log(4.5)) - 4.5 * z >= 0 || r >= Math.log(z)) return x;
      }
    }
    const b = (Math.E + alpha) / Math.E;
    for (;;) {
      const p = b * source.random();
      const x = p <= 1 ? p ** (1 / alpha) : -Math.log((b - p) / alpha);
      const u = source.random();
      if (p > 1 ? u <= x ** (alpha - 1) : u <= Math.exp(-x)) return x;
    }
  }

  function triangular(source, low, high, peak) {
    let u = source.random(), c = (peak - low) / (high - low), from = low, to = high;
    if (u > c) { u = 1 - u; c = 1 - c; from = high; to = low; }
    return from + (to - from) * Math.sqrt(u * c);
  }

  return { Twister, gamma, triangular };
})();
