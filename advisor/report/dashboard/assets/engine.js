// Weights → scores → order → verdict: the arithmetic of advisor/scoring.py, acceptability.py and advise.py.
//
// data, as advisor/report/dashboard/payload.py writes it:
//   criteria    [{name, title}], K of them; weights follow their order
//   candidates  [{repository, name, seed, …}]; everything else names a candidate by its place here
//   scores      [candidate][day] → null or 4K numbers: utility (null: not measured), low, high, coverage
//   findings    [candidate][day] → [[rule, verdict, text]]
// state: {weights: [K numbers], day: place in data.days, chosen: Set of candidates}
const engine = (() => {
  function normalised(weights) {
    const whole = weights.reduce((a, b) => a + b, 0);
    return weights.map((w) => w / whole);
  }

  function mean(pairs) {
    let above = 0, below = 0;
    for (const [w, u] of pairs) { above += w * u; below += w; }
    return below > 0 ? above / below : null;
  }

  // Score, low, high from 0 to 100 and coverage from 0 to 1 of one candidate's 4K numbers.
  function total(cells, weights) {
    const pick = (part) => weights.map((w, k) => [w, cells[4 * k + part]]);
    const point = mean(pick(0).filter(([, u]) => u !== null));
    if (point === null) return { score: null, low: 0, high: 100, coverage: 0 };
    return { score: 100 * point, low: 100 * mean(pick(1)), high: 100 * mean(pick(2)), coverage: mean(pick(3)) };
  }

  const drawnUtilities = new Map();
  // One utility a draw and criterion, from a triangle over the interval; no weight changes them.
  function utilities(data, i, day) {
    const key = `${i}/${day}`;
    if (!drawnUtilities.has(key)) {
      if (drawnUtilities.size > 60) drawnUtilities.clear();
      const cells = data.scores[i][day], K = data.criteria.length, draws = data.sampling.draws;
      const { seed } = data.candidates[i], found = new Float64Array(draws * K);
      for (let d = 0; d < draws; d += 1) {
        for (let k = 0; k < K; k += 1) {
          const u = cells[4 * k], low = cells[4 * k + 1], high = cells[4 * k + 2];
          const peak = u === null ? (low + high) / 2 : u;
          found[d * K + k] = high > low ? sampling.triangular(sampling.uniform(seed, d * K + k), low, high, peak) : peak;
        }
      }
      drawnUtilities.set(key, found);
    }
    return drawnUtilities.get(key);
  }

  let normals = new Float64Array(0);
  // What the weights of all draws are made from; made once.
  function drawnNormals(size) {
    if (normals.length !== size) normals = Float64Array.from({ length: size }, (_, p) => sampling.normal(sampling.uniform(0, p)));
    return normals;
  }

  // candidate → shares of the draws in which it takes rank 1, 2, …; ties share their ranks.
  function acceptability(data, running, weights, day) {
    const K = weights.length, { draws, concentration } = data.sampling, n = running.length;
    const z = drawnNormals(draws * K), shapes = weights.map((w) => concentration * w);
    const scores = new Float64Array(n), places = Int32Array.from(running, (_, j) => j);
    const shares = running.map(() => new Float64Array(n)), w = new Float64Array(K);
    const drawn = running.map((i) => utilities(data, i, day));
    for (let d = 0, row = 0; d < draws; d += 1, row += K) {
      for (let k = 0; k < K; k += 1) w[k] = shapes[k] > 0 ? sampling.gamma(z[row + k], shapes[k]) : 0;
      for (let j = 0; j < n; j += 1) {
        const mine = drawn[j];
        let sum = 0;
        for (let k = 0; k < K; k += 1) sum += w[k] * mine[row + k];
        scores[j] = sum;
      }
      // By insertion: the order of the draw before is nearly that of this one.
      for (let a = 1; a < n; a += 1) {
        const moved = places[a];
        let b = a - 1;
        for (; b >= 0 && scores[places[b]] < scores[moved]; b -= 1) places[b + 1] = places[b];
        places[b + 1] = moved;
      }
      for (let r = 0; r < n; ) {
        let end = r + 1;
        while (end < n && scores[places[end]] === scores[places[r]]) end += 1;
        for (let p = r; p < end; p += 1) {
          for (let q = r; q < end; q += 1) shares[places[p]][q] += 1 / (end - r) / draws;
        }
        r = end;
      }
    }
    return new Map(running.map((i, j) => [i, Array.from(shares[j])]));
  }

  const byScore = (data) => (a, b) => {
    if ((b.score ?? 0) !== (a.score ?? 0)) return (b.score ?? 0) - (a.score ?? 0);
    const [x, y] = [a, b].map((r) => data.candidates[r.i].repository.toLowerCase());
    return x < y ? -1 : x > y ? 1 : 0;
  };

  function scored(data, state, weights) {
    const rows = [];
    for (const i of state.chosen) {
      const cells = data.scores[i][state.day];
      if (!cells) continue;
      const excluded = data.findings[i][state.day].some(([, verdict]) => verdict === "exclude");
      rows.push({ i, cells, excluded, ...total(cells, weights) });
    }
    return rows;
  }

  // The whole answer for a state: rows best first (the excluded and unmeasurable last), choice, certainty.
  function answer(data, state) {
    const weights = normalised(state.weights);
    const rows = scored(data, state, weights);
    const isRunning = (r) => !r.excluded && r.score !== null;
    const running = rows.filter(isRunning).sort(byScore(data));
    const rest = rows.filter((r) => !isRunning(r)).sort(byScore(data));
    const chances = acceptability(data, running.map((r) => r.i).sort((a, b) => a - b), weights, state.day);
    running.forEach((r, place) => Object.assign(r, { rank: place + 1, chances: chances.get(r.i), wins: chances.get(r.i)[0] }));
    rest.forEach((r) => Object.assign(r, { rank: null, chances: [], wins: 0 }));
    const share = Math.max(0, ...running.map((r) => r.wins));
    const certainty = share >= data.thresholds.clear ? "clear" : share >= data.thresholds.leaning ? "leaning" : "tie";
    const theDefault = running.find((r) => data.candidates[r.i].repository === data.default);
    const first = running[0] ?? null;
    const choice = certainty === "tie" && theDefault ? theDefault : first;
    return { weights, rows: [...running, ...rest], running, first, choice, certainty: choice ? certainty : "none" };
  }

  // For each criterion the nearest share of the weight, in whole per cents, at which another comes
  // first by score, the other weights keeping their ratios; nearest first.
  function flips(data, state, found) {
    const { weights, running, first } = found, turns = [];
    if (running.length < 2) return turns;
    weights.forEach((now, k) => {
      if (now >= 1) return;
      // What the other criteria add to the sum and to the measured weight while they fill 1 − share.
      const rest = running.map(({ cells }) => {
        let sum = 0, measured = 0;
        weights.forEach((w, j) => { if (j !== k && cells[4 * j] !== null) { sum += w * cells[4 * j]; measured += w; } });
        return { u: cells[4 * k], sum: sum / (1 - now), measured: measured / (1 - now) };
      });
      const scoreAt = (share, { u, sum, measured }) => {
        const below = (u === null ? 0 : share) + (1 - share) * measured;
        return below > 0 ? ((u ?? 0) * share + (1 - share) * sum) / below : -1;
      };
      const isBeaten = (share) => {
        const bar = scoreAt(share, rest[0]);
        let best = 0;
        rest.forEach((r, j) => { if (scoreAt(share, r) > (best ? scoreAt(share, rest[best]) : bar)) best = j; });
        return best;
      };
      const start = format.whole(100 * now);
      for (let step = 1; step <= 100; step += 1) {
        for (const share of [start + step, start - step]) {
          const best = share < 0 || share > 100 ? 0 : isBeaten(share / 100);
          if (!best) continue;
          turns.push({ k, now, then: share / 100, first: running[best].i, size: Math.abs(share / 100 - now) });
          return;
        }
      }
    });
    return turns.filter((t) => t.first !== first.i).sort((x, y) => x.size - y.size);
  }

  return { normalised, total, answer, flips, acceptability };
})();
