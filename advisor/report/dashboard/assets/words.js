// The sentences of the answer; advisor/answers/reasons.py and decide/flips.py have the same ones.
const NOTABLE_DIFFERENCE = 0.05;
const name = (r) => data.candidates[r.i].name;
const findingsOf = (r, verdict) =>
  data.findings[r.i][state.day].filter(([, v]) => v === verdict).map(([, , text]) => text);

function reasons() {
  const { choice, first, contenders } = answer,
    sentences = [];
  if (!choice) return sentences;
  sentences.push(
    `comes first in ${format.percent(choice.wins)} of the sampled weightings, among ${contenders.length} candidates`,
  );
  if (first !== choice)
    sentences.push(
      `${name(first)} has a higher score (${format.score(first.score)} against ${format.score(choice.score)}) but comes first in only ${format.percent(first.wins)} of the weightings: this is a tie, and in a tie advisor recommends the default of the domain (${data.default_reason})`,
    );
  const best = data.criteria.filter(
    (_, k) =>
      choice.cells[4 * k] !== null && contenders.every((r) => choice.cells[4 * k] >= (r.cells[4 * k] ?? 0)),
  );
  if (best.length && contenders.length > 1)
    sentences.push(
      `no other candidate scores higher in ${best.map((c) => c.title.toLowerCase()).join(", ")}`,
    );
  return [...sentences, ...findingsOf(choice, "prefer")];
}

function doubts() {
  const { choice } = answer;
  if (!choice) return [];
  const gaps = data.criteria.map((c, k) => [c, choice.cells[4 * k + 3]]).filter(([, share]) => share < 1);
  const sentences = findingsOf(choice, "warn");
  if (gaps.length)
    sentences.push(
      `not enough data for ${gaps.map(([c, share]) => `${c.title.toLowerCase()} (${format.percent(share)} measured)`).join(", ")}`,
    );
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
        const mine = base.cells[4 * k],
          theirs = r.cells[4 * k];
        if (mine === null || theirs === null || Math.abs(theirs - mine) < NOTABLE_DIFFERENCE) return;
        const points = format.whole(100 * (theirs - mine));
        sides[theirs > mine ? "better" : "worse"].push(
          `${c.title.toLowerCase()} (${points >= 0 ? "+" : ""}${points})`,
        );
      });
      const parts = Object.entries(sides)
        .filter(([, texts]) => texts.length)
        .map(([word, texts]) => `${word} in ${texts.join(", ")}`);
      return `${name(r)} instead of ${name(base)}: ${parts.join("; ") || "no notable difference"}`;
    });
}

function flipTexts() {
  if (!answer.choice) return ["other rules or other candidates"];
  const sentences = engine
    .flips(data, answer)
    .slice(0, 3)
    .map(
      (flip) =>
        `${data.candidates[flip.first].name} comes first if the weight of ${data.criteria[flip.k].title.toLowerCase()} is ${format.tenths(flip.then)} instead of ${format.tenths(flip.now)}`,
    );
  // Flips of a value exist only for the question that the page starts with.
  if (!toAddress())
    sentences.push(...data.flips.filter(([kind]) => kind === "value").map(([, text]) => text));
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
