// The sentences of the answer; advisor/answers/reasons.py and decide/flips.py have the same ones.
const NOTABLE_DIFFERENCE = 0.05;
const name = (r) => data.candidates[r.i].name;
const findingsOf = (r, verdict) =>
  data.findings[r.i][state.day].filter(([, v]) => v === verdict).map(([, , text]) => text);

// Whether the bounds of two scores in a criterion are apart, the first above the second.
const isAhead = (first, second, k) => first.cells[4 * k + 1] > second.cells[4 * k + 2];

function reasons() {
  const { choice, first, contenders } = answer,
    sentences = [];
  if (!choice) return sentences;
  if (contenders.length === 1)
    return [
      "no other candidate is left, and one candidate is no comparison",
      ...findingsOf(choice, "prefer"),
    ];
  if (!firstScreen.describeWins(answer))
    sentences.push(
      `comes first in ${format.percent(choice.wins)} of the sampled weightings, among ${contenders.length} candidates`,
    );
  if (first !== choice)
    sentences.push(
      `${name(first)} ${lead(first, choice)} but comes first in only ${format.percent(first.wins)} of the weightings: this is a tie, and in a tie advisor recommends the default of the domain (${data.default_reason})`,
    );
  const others = contenders.filter((r) => r !== choice);
  const best = data.criteria.filter((_, k) => others.every((r) => isAhead(choice, r, k)));
  if (best.length)
    sentences.push(
      `scores higher than every other candidate in ${best.map((c) => c.title.toLowerCase()).join(", ")}`,
    );
  return [...sentences, ...findingsOf(choice, "prefer")];
}

// By how much the first is ahead, with a tenth where whole points are equal.
function lead(first, choice) {
  for (const show of [format.score, (x) => x.toFixed(1)]) {
    const scores = [first, choice].map((r) => show(r.score));
    if (scores[0] !== scores[1]) return `has a higher score (${scores[0]} against ${scores[1]})`;
  }
  return `has practically the same score (${first.score.toFixed(1)})`;
}

function doubts() {
  const { choice } = answer;
  if (!choice) return [];
  const gaps = data.criteria
    .map((c, k) => [c, choice.cells[4 * k + 3], answer.weights[k]])
    .filter(([, share, weight]) => share < 1 && weight > 0);
  const sentences = findingsOf(choice, "warn");
  if (gaps.length)
    sentences.push(
      `not enough data for ${gaps.map(([c, share]) => `${c.title.toLowerCase()} (${format.percent(share)} measured)`).join(", ")}`,
    );
  if (gaps.some(([c]) => c.benched))
    sentences.push("it was not measured on your machine: run `advisor bench`");
  return [...sentences, `possible score: ${format.whole(choice.low)} to ${format.whole(choice.high)}`];
}

function alternatives() {
  if (data.default === null) return [];
  const base = answer.rows.find((r) => data.candidates[r.i].repository === data.default);
  if (!base) return [`${data.default}, the default of this domain, was not compared`];
  if (base.excluded) return [`${data.default}, the default of this domain, is excluded`];
  return answer.ranking
    .filter((r) => r !== base)
    .map((r) => {
      const sides = { better: [], worse: [] };
      data.criteria.forEach((c, k) => {
        const difference = r.cells[4 * k] - base.cells[4 * k];
        const isSure = difference > 0 ? isAhead(r, base, k) : isAhead(base, r, k);
        if (Math.abs(difference) < NOTABLE_DIFFERENCE || !isSure) return;
        const points = format.whole(100 * difference);
        sides[difference > 0 ? "better" : "worse"].push(
          `${c.title.toLowerCase()} (${points >= 0 ? "+" : ""}${points})`,
        );
      });
      const parts = Object.entries(sides)
        .filter(([, texts]) => texts.length)
        .map(([word, texts]) => `${word} in ${texts.join(", ")}`);
      return `${name(r)} instead of ${name(base)}: ${parts.join("; ") || "no difference that is sure"}`;
    });
}

// How much more or less a criterion would matter; advisor/decide/wording.py has the same words.
const TIMES = ["three", "four", "five", "six", "seven", "eight", "nine"].map((n) => `${n} times`);
const PARTS = [
  [1 / 10, "a tenth"],
  [1 / 4, "a quarter"],
  [1 / 3, "a third"],
  [1 / 2, "half"],
];
function compareShares(ratio) {
  if (ratio === 0) return "did not matter";
  if (ratio >= 9.95) return "mattered at least ten times as much";
  if (ratio >= 1.95) {
    const isWhole = Math.abs(ratio - format.whole(ratio)) < 0.05;
    const times = Math.floor(ratio + 0.05);
    return `mattered ${isWhole ? "" : "more than "}${times === 2 ? "twice" : TIMES[times - 3]} as much`;
  }
  if (ratio > 0.5) {
    const tens = Math.max(10, 10 * format.whole(10 * Math.abs(ratio - 1)));
    return `mattered about ${tens}% ${ratio > 1 ? "more" : "less"}`;
  }
  return `mattered less than ${PARTS.find(([limit]) => ratio <= limit)[1]} as much`;
}

function describeWeight(title, now, then) {
  if (format.whole(100 * now) === format.whole(100 * then))
    return `${title} mattered slightly ${then > now ? "more" : "less"}`;
  if (now === 0) return `${title} had ${format.percent(then)} of the weight instead of none`;
  const shares = `(${format.percent(then)} of the weight instead of ${format.percent(now)})`;
  return `${title} ${compareShares(then / now)} ${shares}`;
}

// A candidate without a score can have enough data once its known criteria weigh more.
function describeEvent(i) {
  const hasScore = answer.rows.find((r) => r.i === i).score !== null;
  return hasScore ? "comes first" : "has enough data and comes first";
}

const MOST_FLIPS = 3;
const weightFlips = () =>
  engine
    .flips(data, answer)
    .slice(0, MOST_FLIPS)
    .map(
      (flip) =>
        `${data.candidates[flip.first].name} ${describeEvent(flip.first)} if ${describeWeight(data.criteria[flip.k].title.toLowerCase(), flip.now, flip.then)}`,
    );

function flipTexts() {
  if (!answer.choice) return ["other rules or other candidates"];
  const sentences = weightFlips();
  // Flips of a value exist only for the question that the page starts with.
  if (!questionAddress())
    sentences.push(...data.flips.filter(([kind]) => kind !== "weight").map(([, text]) => text));
  if (!sentences.length)
    sentences.push(
      answer.contenders.length > 1
        ? `${name(answer.first)} keeps the highest score whatever single weight changes`
        : "nothing: there is no other candidate to choose",
    );
  const second = answer.contenders[1];
  if (second)
    sentences.push(
      `${name(second)} is ${(answer.first.score - second.score).toFixed(1)} points behind by score`,
    );
  return sentences;
}

const flipsTitle = () =>
  `What would put ${answer.choice === answer.first ? "another candidate" : "the choice"} first`;
