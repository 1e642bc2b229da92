// Weights → scores → order → verdict: the arithmetic of advisor/decide/utilities.py, acceptability.py and advise.py.
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
    let above = 0,
      below = 0;
    for (const [w, u] of pairs) {
      above += w * u;
      below += w;
    }
    return below > 0 ? above / below : null;
  }

  // Score, low, high from 0 to 100 and coverage from 0 to 1 of one candidate's 4K numbers.
  function total(cells, weights) {
    const pick = (part) => weights.map((w, k) => [w, cells[4 * k + part]]);
    const point = mean(pick(0).filter(([, u]) => u !== null));
    if (point === null) return { score: null, low: 0, high: 100, coverage: 0 };
    return {
      score: 100 * point,
      low: 100 * mean(pick(1)),
      high: 100 * mean(pick(2)),
      coverage: mean(pick(3)),
    };
  }

  // One utility a draw and criterion, from a triangle over the interval; no weight changes them. The chances
  // behind them are the same for all days, and a criterion whose interval stays keeps its draws.
  const drawn = new Map();
  function utilities(data, i, day) {
    const cells = data.scores[i][day],
      K = data.criteria.length,
      { draws } = data.sampling,
      { seed } = data.candidates[i];
    if (!drawn.has(i)) drawn.set(i, { cells: [], chances: [], found: new Float64Array(draws * K) });
    const mine = drawn.get(i),
      { found, chances } = mine;
    for (let k = 0; k < K; k += 1) {
      const at = 4 * k,
        u = cells[at],
        low = cells[at + 1],
        high = cells[at + 2];
      if (u === mine.cells[at] && low === mine.cells[at + 1] && high === mine.cells[at + 2]) continue;
      const peak = u === null ? (low + high) / 2 : u;
      if (high > low) {
        chances[k] ??= Float64Array.from({ length: draws }, (_, d) => sampling.uniform(seed, d * K + k));
        for (let d = 0; d < draws; d += 1)
          found[d * K + k] = sampling.triangular(chances[k][d], low, high, peak);
      } else {
        for (let d = 0; d < draws; d += 1) found[d * K + k] = peak;
      }
    }
    mine.cells = cells;
    return found;
  }

  let normals = null;
  // Weights around these: draws × K. The normal numbers behind them are the same for all weights.
  function drawnWeights(data, weights) {
    const K = weights.length,
      { draws, concentration } = data.sampling,
      found = new Float64Array(draws * K);
    normals ??= Float64Array.from(found, (_, place) => sampling.normal(sampling.uniform(0, place)));
    weights.forEach((weight, k) => {
      if (weight <= 0) return;
      for (let place = k; place < found.length; place += K)
        found[place] = sampling.gamma(normals[place], concentration * weight);
    });
    return found;
  }

  // candidate → shares of the draws in which it comes first, second, third, later; equals share places.
  // Candidate by candidate over all draws, so that memory is read in the order in which it lies.
  const TOP = 3;
  function acceptability(data, running, weights, day) {
    const K = weights.length,
      { draws } = data.sampling,
      n = running.length;
    const us = running.map((i) => utilities(data, i, day)),
      w = drawnWeights(data, weights);
    const best = Array.from({ length: TOP }, () => new Float64Array(draws).fill(-1)); // scores are 0 or more
    const who = Array.from({ length: TOP }, () => new Int32Array(draws).fill(-1)),
      level = new Uint8Array(draws);
    const [first, second, third] = best,
      [isFirst, isSecond, isThird] = who;
    for (let j = 0; j < n; j += 1) {
      const u = us[j];
      for (let d = 0, at = 0; d < draws; d += 1) {
        let sum = 0;
        for (let k = 0; k < K; k += 1, at += 1) sum += w[at] * u[at];
        if (sum < third[d]) continue;
        if (sum === third[d] || sum === second[d] || sum === first[d]) level[d] = 1;
        if (sum > second[d]) {
          third[d] = second[d];
          isThird[d] = isSecond[d];
          if (sum > first[d]) {
            second[d] = first[d];
            isSecond[d] = isFirst[d];
            first[d] = sum;
            isFirst[d] = j;
          } else {
            second[d] = sum;
            isSecond[d] = j;
          }
        } else {
          third[d] = sum;
          isThird[d] = j;
        }
      }
    }
    const shares = running.map(() => new Float64Array(TOP + 1));
    for (let d = 0; d < draws; d += 1) {
      if (level[d])
        shareLevel(
          us.map((u) => dot(w, u, d * K, K)),
          shares,
        );
      else for (let p = 0; p < TOP; p += 1) if (who[p][d] >= 0) shares[who[p][d]][p] += 1;
    }
    for (const share of shares) share[TOP] = Math.max(0, draws - share[0] - share[1] - share[2]);
    return new Map(running.map((i, j) => [i, Array.from(shares[j], (count) => count / draws)]));
  }

  function dot(w, u, at, K) {
    let sum = 0;
    for (let k = 0; k < K; k += 1) sum += w[at + k] * u[at + k];
    return sum;
  }

  // One draw in which some of the best score the same: each takes its part of the places that they fill.
  function shareLevel(scores, shares) {
    const places = Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a]);
    for (let r = 0; r < places.length;) {
      let end = r + 1;
      while (end < places.length && scores[places[end]] === scores[places[r]]) end += 1;
      for (let p = r; p < end; p += 1)
        for (let q = r; q < Math.min(end, TOP); q += 1) shares[places[p]][q] += 1 / (end - r);
      r = end;
    }
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
  // The choice is made `among` those that run, or among those of them that the user prefers.
  function answer(data, state) {
    const weights = normalised(state.weights);
    const rows = scored(data, state, weights);
    const isRunning = (r) => !r.excluded && r.score !== null;
    const running = rows.filter(isRunning).sort(byScore(data));
    const rest = rows.filter((r) => !isRunning(r)).sort(byScore(data));
    const chancesOf = (list) =>
      acceptability(
        data,
        list.map((r) => r.i).sort((a, b) => a - b),
        weights,
        state.day,
      );
    const chances = chancesOf(running);
    running.forEach((r, place) =>
      Object.assign(r, { rank: place + 1, chances: chances.get(r.i), wins: chances.get(r.i)[0] }),
    );
    rest.forEach((r) => Object.assign(r, { rank: null, chances: [], wins: 0 }));
    const liked = running.filter((r) =>
      data.findings[r.i][state.day].some(([rule]) => rule === "backer-preferred"),
    );
    const alone = liked.length && liked.length < running.length ? chancesOf(liked) : null;
    const among = alone ? liked.map((r) => ({ ...r, wins: alone.get(r.i)[0] })) : running;
    const first = among[0] ?? null;
    const share = first ? first.wins : 0;
    const certainty =
      share >= data.thresholds.clear ? "clear" : share >= data.thresholds.leaning ? "leaning" : "tie";
    const theDefault = among.find((r) => data.candidates[r.i].repository === data.default);
    const choice = certainty === "tie" && theDefault ? theDefault : first;
    return {
      weights,
      rows: [...running, ...rest],
      running,
      among,
      first,
      choice,
      certainty: choice ? certainty : "none",
    };
  }

  // For each criterion the nearest share of the weight, in tenths of a per cent, at which another comes
  // first by score, the other weights keeping their ratios; nearest first. As advisor/decide/flips.py does.
  const STEPS = 1000,
    JUST = 1e-9;
  function flips(data, { weights, among }) {
    const turns = [];
    if (among.length < 2) return turns;
    weights.forEach((now, k) => {
      if (now >= 1) return;
      // What the other criteria add to the sum and to the measured weight while they fill 1 − share.
      const lines = among.map(({ cells }) => {
        let sum = 0,
          measured = 0;
        weights.forEach((w, j) => {
          if (j !== k && cells[4 * j] !== null) {
            sum += w * cells[4 * j];
            measured += w;
          }
        });
        return { u: cells[4 * k], sum: sum / (1 - now), measured: measured / (1 - now) };
      });
      const scoreAt = (share, { u, sum, measured }) => {
        const below = (u === null ? 0 : share) + (1 - share) * measured;
        return below > 0 ? ((u ?? 0) * share + (1 - share) * sum) / below : -1;
      };
      let nearest = null;
      for (let step = 0; step <= STEPS; step += 1) {
        const then = step / STEPS,
          size = Math.abs(then - now);
        if (nearest && size >= nearest.size) continue;
        let best = 1;
        for (let j = 2; j < lines.length; j += 1)
          if (scoreAt(then, lines[j]) > scoreAt(then, lines[best])) best = j;
        if (scoreAt(then, lines[best]) > scoreAt(then, lines[0]) + JUST)
          nearest = { k, now, then, size, first: among[best].i };
      }
      if (nearest) turns.push(nearest);
    });
    return turns.sort((x, y) => x.size - y.size);
  }

  return { normalised, total, answer, flips, acceptability };
})();
