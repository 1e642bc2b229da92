// The sentences of the answer; advisor/answers/reasons.py and decide/flips.py have the same ones.
const NOTABLE_DIFFERENCE = 0.05;
const name = (r) => data.candidates[r.i].name;
const findingsOf = (r, verdict) =>
  data.findings[r.i][state.day].filter(([, v]) => v === verdict).map(([, , text]) => text);

function reasons() {
  const { choice, first, among } = found,
    said = [];
  if (!choice) return said;
  said.push(
    `comes first in ${format.percent(choice.wins)} of the sampled weightings, among ${among.length} candidates`,
  );
  if (first !== choice)
    said.push(
      `${name(first)} has a higher score (${format.score(first.score)} against ${format.score(choice.score)}) but comes first in only ${format.percent(first.wins)} of the weightings: this is a tie, and in a tie advisor recommends the default of the domain (${data.default_reason})`,
    );
  const best = data.criteria.filter(
    (_, k) =>
      choice.cells[4 * k] !== null && among.every((r) => choice.cells[4 * k] >= (r.cells[4 * k] ?? 0)),
  );
  if (best.length && among.length > 1)
    said.push(`no other candidate scores higher in ${best.map((c) => c.title.toLowerCase()).join(", ")}`);
  return [...said, ...findingsOf(choice, "prefer")];
}

function doubts() {
  const { choice } = found;
  if (!choice) return [];
  const unsure = data.criteria.map((c, k) => [c, choice.cells[4 * k + 3]]).filter(([, share]) => share < 1);
  const said = findingsOf(choice, "warn");
  if (unsure.length)
    said.push(
      `not enough data for ${unsure.map(([c, share]) => `${c.title.toLowerCase()} (${format.percent(share)} measured)`).join(", ")}`,
    );
  return [
    ...said,
    `possible score: ${format.whole(choice.low)} to ${format.whole(choice.high)}`,
  ];
}

function leaving() {
  if (data.default === null) return [];
  const base = found.rows.find((r) => data.candidates[r.i].repository === data.default);
  if (!base) return [`${data.default}, the default of this domain, was not compared`];
  if (base.excluded) return [`${data.default}, the default of this domain, is excluded`];
  return found.running
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
  if (!found.choice) return ["another rule file, or other candidates"];
  const said = engine
    .flips(data, found)
    .slice(0, 3)
    .map(
      (t) =>
        `${data.candidates[t.first].name} comes first if the weight of ${data.criteria[t.k].title.toLowerCase()} is ${format.tenths(t.then)} instead of ${format.tenths(t.now)}`,
    );
  // Which measured value would do it is known for the page's own question alone.
  if (!toAddress()) said.push(...data.flips.filter(([kind]) => kind === "value").map(([, text]) => text));
  if (!said.length)
    said.push(
      found.among.length > 1
        ? `no change of a single weight puts another first by score: ${name(found.first)} stays first`
        : "nothing: no other candidate is left",
    );
  const second = found.among[1];
  if (second)
    said.push(`${name(second)} is ${(found.first.score - second.score).toFixed(1)} points behind by score`);
  return said;
}
