// From weights to scores, order and choice: the arithmetic of advisor/decide and advisor/answers/recommend.py.
//
// data, as advisor/report/dashboard/payload.py writes it:
//   criteria    [{name, title, benched}], K of them; weights have the same order
//   candidates  [{repository, name, seed, …}]; a candidate's number i is its index in this list
//   scores      [i][day] → null or 4K numbers: expected utility, low, high, coverage (0: not measured);
//              in the file, the months of each number (see data.js)
//   findings    [i][day] → [[rule, verdict, text]]
//   is_open  whether a requirement could not be checked; unmet_goals: goals that no candidate is known to meet
// state: {weights: [K numbers], day: index in data.days, selection: Set of candidates}
const engine = (() => {
  function normalise(weights) {
    const sum = weights.reduce((a, b) => a + b, 0);
    return weights.map((w) => w / sum);
  }

  function mean(pairs) {
    let sum = 0,
      weight = 0;
    for (const [w, u] of pairs) {
      sum += w * u;
      weight += w;
    }
    return weight > 0 ? sum / weight : null;
  }

  // A benchmark that nobody has run on the user's machine does not count in what is known.
  const counts = (data, cells, k) => !data.criteria[k].benched || cells[4 * k + 3] > 0;
  const TOLERANCE = 1e-9;
  const ROUNDING = 1e-6; // of a share, which has six digits here
  const isEnough = (data, known) => known !== null && known >= data.thresholds.floor - ROUNDING;

  // Return score, low and high (0 to 100) and coverage (0 to 1) from a candidate's 4K numbers; the score is null if
  // less than half of the weight is known.
  function total(data, cells, weights) {
    const pick = (part) => weights.map((w, k) => [w, cells[4 * k + part]]);
    const known = mean(pick(3).filter((_, k) => counts(data, cells, k)));
    return {
      score: isEnough(data, known) ? 100 * mean(pick(0)) : null,
      low: 100 * mean(pick(1)),
      high: 100 * mean(pick(2)),
      coverage: mean(pick(3)),
    };
  }

  // Return for each criterion a utility for each draw, from a distribution over the interval; one number stands for
  // equal ones. The draws do not depend on the weights, and their random numbers are the same for all days. So if the
  // interval of a criterion does not change with the day, its draws do not change.
  const cache = new Map();
  function utilities(data, i, day) {
    const cells = data.scores[i][day],
      K = data.criteria.length,
      entry = entryOf(i);
    for (let k = 0; k < K; k += 1) {
      const at = 4 * k,
        u = cells[at],
        low = cells[at + 1],
        high = cells[at + 2];
      if (u === entry.cells[at] && low === entry.cells[at + 1] && high === entry.cells[at + 2]) continue;
      entry.columns[k] = high > low ? drawUtilities(data, i, k, [low, u, high]) : u;
    }
    entry.cells = cells;
    return entry.columns;
  }

  function entryOf(i) {
    if (!cache.has(i)) cache.set(i, { cells: [], uniforms: [], values: [], columns: [] });
    return cache.get(i);
  }

  function uniformsOf(data, i, k) {
    const { uniforms } = entryOf(i),
      { seed } = data.candidates[i],
      K = data.criteria.length;
    return (uniforms[k] ??= sampling.uniforms(data.sampling.draws, (d) => sampling.uniform(seed, d * K + k)));
  }

  function drawUtilities(data, i, k, interval) {
    const { values } = entryOf(i);
    values[k] ??= new Float32Array(data.sampling.draws); // half of what the processor has to read
    sampling.spread(...interval, uniformsOf(data, i, k), values[k]);
    return values[k];
  }

  // Compute the random numbers of all days, candidate by candidate, so that the first moves need not.
  function* prepare(data) {
    for (const [i, days] of data.scores.entries()) {
      for (const cells of days)
        for (let k = 0; cells && k < data.criteria.length; k += 1) {
          const [u, low, high] = cells.slice(4 * k, 4 * k + 3);
          if (high > low) sampling.prepare(low, u, high, uniformsOf(data, i, k));
        }
      yield;
    }
  }

  // Arrays of one number a draw, which every move writes again: new ones would cost time for their zeros.
  const arrays = new Map();
  function arrayOf(name, draws, Type = Float64Array) {
    if (arrays.get(name)?.length !== draws) arrays.set(name, new Type(draws));
    return arrays.get(name);
  }

  let normals = null,
    lastSample = { weights: [], columns: [] };
  // Return for each criterion the weights of all draws, around its weight. Their normal random numbers are the same
  // for all weights.
  function sampleWeights(data, weights) {
    const K = weights.length,
      { draws, concentration } = data.sampling;
    normals ??= weights.map((_, k) =>
      Float64Array.from({ length: draws }, (_, d) => sampling.normal(sampling.uniform(0, d * K + k))),
    );
    if (!weights.every((weight, k) => weight === lastSample.weights[k])) {
      const columns = weights.map((weight, k) =>
        weight > 0
          ? sampling.gamma(normals[k], concentration * weight, arrayOf(`weight ${k}`, draws))
          : null,
      );
      lastSample = { weights: [...weights], columns };
    }
    return lastSample.columns;
  }

  // Write the score of each draw: the sum over the criteria of weight times utility. Four products at a time halve the
  // reads and writes of the sums.
  const AT_ONCE = 4;
  function sumUtilities(sampledWeights, columns, sums) {
    const factors = [];
    sums.fill(0);
    sampledWeights.forEach((w, k) => {
      if (w === null) return;
      if (typeof columns[k] === "number") addScaled(sums, w, columns[k]);
      else factors.push(w, columns[k]);
    });
    while (factors.length % (2 * AT_ONCE)) factors.push(arrayOf("zeros", sums.length));
    for (let at = 0; at < factors.length; at += 2 * AT_ONCE)
      addProducts(sums, ...factors.slice(at, at + 2 * AT_ONCE));
    return sums;
  }

  function addScaled(sums, w, factor) {
    if (factor === 0) return;
    for (let d = 0; d < sums.length; d += 1) sums[d] += w[d] * factor;
  }

  function addProducts(sums, a, b, c, d, e, f, g, h) {
    for (let n = 0; n < sums.length; n += 1) sums[n] += a[n] * b[n] + c[n] * d[n] + e[n] * f[n] + g[n] * h[n];
  }

  // Return candidate → shares of the draws in which it comes first, second, third or later; equal scores share ranks.
  const TOP = 3;
  function acceptability(data, contenders, weights, day) {
    const { draws } = data.sampling;
    const w = sampleWeights(data, weights);
    const places = [0, 1, 2];
    const best = places.map((p) => arrayOf(`best ${p}`, draws).fill(-1)); // scores are 0 or more
    const order = places.map((p) => arrayOf(`order ${p}`, draws, Int32Array).fill(-1)),
      hasTie = arrayOf("ties", draws, Uint8Array).fill(0);
    const scores = contenders.map((i, j) => {
      const sums = sumUtilities(w, utilities(data, i, day), arrayOf(`score ${j}`, draws));
      enter(sums, j, best, order, hasTie);
      return sums;
    });
    const shares = contenders.map(() => new Float64Array(TOP + 1));
    for (let d = 0; d < draws; d += 1) {
      if (hasTie[d]) shareRanks(d, scores, best, shares);
      else for (let p = 0; p < TOP; p += 1) if (order[p][d] >= 0) shares[order[p][d]][p] += 1;
    }
    for (const share of shares) share[TOP] = Math.max(0, draws - share[0] - share[1] - share[2]);
    return new Map(contenders.map((i, j) => [i, Array.from(shares[j], (count) => count / draws)]));
  }

  // Enter candidate j into the best three of each draw.
  function enter(sums, j, [first, second, third], [firstOf, secondOf, thirdOf], hasTie) {
    for (let d = 0; d < sums.length; d += 1) {
      const sum = sums[d];
      if (sum < third[d]) continue;
      if (sum === third[d] || sum === second[d] || sum === first[d]) hasTie[d] = 1;
      if (sum > second[d]) {
        third[d] = second[d];
        thirdOf[d] = secondOf[d];
        if (sum > first[d]) {
          second[d] = first[d];
          secondOf[d] = firstOf[d];
          first[d] = sum;
          firstOf[d] = j;
        } else {
          second[d] = sum;
          secondOf[d] = j;
        }
      } else {
        third[d] = sum;
        thirdOf[d] = j;
      }
    }
  }

  // A draw in which some of the best have equal scores: each takes an equal part of the ranks that they fill.
  function shareRanks(d, scores, best, shares) {
    for (let p = 0; p < TOP; p += 1) {
      const score = best[p][d];
      if (p > 0 && score === best[p - 1][d]) continue;
      let size = 0;
      for (const each of scores) if (each[d] === score) size += 1;
      for (let j = 0; j < scores.length; j += 1)
        if (scores[j][d] === score)
          for (let q = p; q < Math.min(p + size, TOP); q += 1) shares[j][q] += 1 / size;
    }
  }

  // Return the share of the draws in which one candidate scores higher than another; equal scores count half.
  function duel(data, i, j, weights, day) {
    const { draws } = data.sampling,
      w = sampleWeights(data, weights);
    const [mine, theirs] = [i, j].map((one) =>
      sumUtilities(w, utilities(data, one, day), new Float64Array(draws)),
    );
    let wins = 0;
    for (let d = 0; d < draws; d += 1) wins += mine[d] > theirs[d] ? 1 : mine[d] === theirs[d] ? 0.5 : 0;
    return wins / draws;
  }

  // By score; equal scores by wins.
  const byScore = (data) => (a, b) => {
    const gap = (b.score ?? 0) - (a.score ?? 0);
    if (Math.abs(gap) > TOLERANCE) return gap;
    if ((b.wins ?? 0) !== (a.wins ?? 0)) return (b.wins ?? 0) - (a.wins ?? 0);
    const [x, y] = [a, b].map((r) => data.candidates[r.i].repository.toLowerCase());
    return x < y ? -1 : x > y ? 1 : 0;
  };

  function scoreRows(data, state, weights) {
    const rows = [];
    for (const i of state.selection) {
      const cells = data.scores[i][state.day];
      if (!cells) continue;
      const excluded = data.findings[i][state.day].some(([, verdict]) => verdict === "exclude");
      rows.push({ i, cells, excluded, ...total(data, cells, weights) });
    }
    return rows;
  }

  // Return the answer for a state: rows (the best first, the excluded and those without data last), choice, certainty.
  // The contenders are the candidates with a rank, or those of them that have a backer that the user prefers.
  function recommend(data, state) {
    const weights = normalise(state.weights);
    const rows = scoreRows(data, state, weights);
    const hasRank = (r) => !r.excluded && r.score !== null;
    const ranking = rows.filter(hasRank);
    const rest = rows.filter((r) => !hasRank(r)).sort(byScore(data));
    const chancesOf = (list) =>
      acceptability(
        data,
        list.map((r) => r.i).sort((a, b) => a - b),
        weights,
        state.day,
      );
    const chances = chancesOf(ranking);
    for (const r of ranking) Object.assign(r, { chances: chances.get(r.i), wins: chances.get(r.i)[0] });
    ranking.sort(byScore(data)).forEach((r, j) => Object.assign(r, { rank: j + 1 }));
    rest.forEach((r) => Object.assign(r, { rank: null, chances: [], wins: 0 }));
    const favourites = ranking.filter((r) =>
      data.findings[r.i][state.day].some(([rule]) => rule === "backer-preferred"),
    );
    const hasFavourites = favourites.length && favourites.length < ranking.length;
    const favouriteChances = hasFavourites ? chancesOf(favourites) : null;
    const contenders = hasFavourites
      ? favourites.map((r) => ({ ...r, wins: favouriteChances.get(r.i)[0] }))
      : ranking;
    const first = contenders[0] ?? null;
    // With a requirement or a goal that could not be checked, nothing is clear.
    const isOpen = data.is_open || data.unmet_goals.includes(state.goal || state.base);
    const ownCertainty = certaintyOf(data, contenders);
    const certainty = isOpen && ownCertainty === "clear" ? "leaning" : ownCertainty;
    // In a tie the default is the choice, if the first does not clearly beat it.
    const defaultRow = contenders.find((r) => data.candidates[r.i].repository === data.default);
    const isDefault =
      certainty === "tie" &&
      defaultRow &&
      defaultRow !== first &&
      duel(data, first.i, defaultRow.i, weights, state.day) < data.thresholds.clear;
    const choice = isDefault ? defaultRow : first;
    return {
      weights,
      rows: [...ranking, ...rest],
      ranking,
      contenders,
      first,
      choice,
      certainty,
    };
  }

  function certaintyOf(data, contenders) {
    if (contenders.length < 2) return contenders.length ? "only" : "none";
    const { clear, leaning } = data.thresholds,
      [{ wins }] = contenders;
    return wins >= clear ? "clear" : wins >= leaning ? "leaning" : "tie";
  }

  // Return for each criterion the nearest weight, in whole per cents, that changes whether the choice is first by
  // score while the other weights keep their ratios; the nearest first. A criterion of which nothing is known about
  // the winner cannot put it first. advisor/decide/flips.py does the same.
  const STEPS = 100;
  function flips(data, { weights, rows, contenders, choice }) {
    const nearestFlips = [];
    const preferred = new Set(contenders.map((r) => r.i));
    const allowed = rows.filter((r) => !r.excluded && (r.rank === null || preferred.has(r.i)));
    if (contenders.length < 1 || allowed.length < 2) return nearestFlips;
    const others = allowed.filter((r) => r.i !== choice.i);
    const cellsOf = (i) => allowed.find((r) => r.i === i).cells;
    weights.forEach((now, k) => {
      if (now >= 1) return;
      const scoreAt = new Map(allowed.map((r) => [r.i, line(data, r.cells, weights, k)]));
      const best = (share) =>
        others.reduce((a, b) => (scoreAt.get(b.i)(share) > scoreAt.get(a.i)(share) ? b : a));
      const margin = (share) => scoreAt.get(choice.i)(share) - scoreAt.get(best(share).i)(share);
      const leadsNow = margin(now) >= 0;
      let nearest = null;
      for (let step = 0; step <= STEPS; step += 1) {
        const then = step / STEPS,
          size = Math.abs(then - now);
        if (nearest && size >= nearest.size) continue;
        if (leadsNow ? margin(then) < -TOLERANCE : margin(then) > TOLERANCE)
          nearest = { k, now, then, size, first: leadsNow ? best(then).i : choice.i };
      }
      const isKnown = nearest && (nearest.then < now || cellsOf(nearest.first)[4 * k + 3] > 0);
      if (isKnown) nearestFlips.push(nearest);
    });
    const name = (flip) => data.criteria[flip.k].name,
      size = (flip) => Math.round(flip.size * 1e6); // sums of weights end in noise
    return nearestFlips.sort((x, y) => size(x) - size(y) || (name(x) < name(y) ? -1 : 1));
  }

  // Return the function from the share of criterion k to a candidate's score (0 to 1); -1 without a rank.
  function line(data, cells, weights, k) {
    const rest = 1 - weights[k];
    let others = 0,
      known = 0,
      counted = 0;
    weights.forEach((w, j) => {
      if (j === k) return;
      others += (w / rest) * cells[4 * j];
      if (!counts(data, cells, j)) return;
      known += (w / rest) * cells[4 * j + 3];
      counted += w / rest;
    });
    const own = counts(data, cells, k) ? 1 : 0;
    return (share) => {
      const total = (1 - share) * counted + share * own;
      const evidence = total > 0 ? ((1 - share) * known + share * own * cells[4 * k + 3]) / total : null;
      return isEnough(data, evidence) ? (1 - share) * others + share * cells[4 * k] : -1;
    };
  }

  return { normalise, total, recommend, flips, acceptability, prepare };
})();
