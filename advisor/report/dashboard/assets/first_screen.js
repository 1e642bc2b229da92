// The first screen: what to choose, instead of what, how sure, and the first three rows. first_screen.py has the
// same sentences.
const firstScreen = (() => {
  const TOP = 3;
  const MOST = { reasons: 2, doubts: 1, flips: 2 }; // of each list; the rest is folded

  // The first three candidates, the choice always among them.
  function topRows({ ranking, choice }) {
    const isThere = !choice || ranking.slice(0, TOP).some((r) => r.i === choice.i);
    return isThere
      ? ranking.slice(0, TOP)
      : [...ranking.slice(0, TOP - 1), ranking.find((r) => r.i === choice.i)];
  }

  // The runner-up with the words before and after its name.
  function describeInstead({ choice, first, contenders, certainty }) {
    const rival = contenders.find((r) => r !== choice);
    if (!choice || !rival) return { before: "", name: "", after: "" };
    const points = `${Math.abs(choice.score - rival.score).toFixed(1)} points`;
    if (first !== choice)
      return { before: "level with", name: name(rival), after: `which has ${points} more` };
    return certainty === "tie"
      ? { before: "just ahead of", name: name(rival), after: `by ${points}` }
      : { before: "rather than", name: name(rival), after: `${points} behind` };
  }

  // In how many weightings the choice comes first; empty without a comparison of all candidates.
  function describeWins({ choice, first, contenders, ranking, certainty }) {
    if (!choice || contenders.length < 2 || contenders.length < ranking.length) return "";
    const { clear } = data.thresholds;
    const of100 = (r) => format.whole(100 * r.wins);
    let text = `first in ${of100(choice)} of 100 weightings`;
    if (first !== choice) text += `, ${name(first)} in ${of100(first)}`;
    text += `; clear from ${format.whole(100 * clear)}`;
    if (certainty === "leaning" && choice.wins >= clear)
      text += ", but a requirement or goal could not be checked";
    return text;
  }

  // The whole answer in one sentence, for a screen reader.
  function sentence(answer) {
    const { before, name: rival, after } = describeInstead(answer);
    const head = [$("headline").textContent, $("choice").textContent].filter(Boolean).join(" ");
    const parts = [head, rival && `${before} ${rival}, ${after}`, $("confidence-text").textContent];
    return `${[...parts, describeWins(answer)].filter(Boolean).join("; ")}.`;
  }

  function writeInstead({ before, name: rival, after }) {
    $("instead").hidden = !rival;
    setText($("instead-before"), before);
    setText($("instead-name"), rival);
    setText($("instead-after"), after);
  }

  function writeTop(answer) {
    const rows = topRows(answer),
      at = answer.choice ? answer.choice.score : -1;
    $("top").hidden = !rows.length;
    [...$("top").tBodies[0].rows].forEach((line, place) => {
      const r = rows[place];
      line.hidden = !r;
      if (!r) return;
      line.classList.toggle("chosen", r.i === answer.choice?.i);
      const cell = (part) => line.querySelector(`[data-cell="${part}"]`);
      setText(cell("rank"), `${r.rank}`);
      setText(line.querySelector("bdi"), name(r));
      setAttribute(line.querySelector(".key"), "class", `key k${r.i % 8}`);
      setAttribute(line.querySelector("svg"), "class", `interval k${r.i % 8}`);
      drawInterval(line, r);
      setLine(line.querySelector(".at"), at, at);
      setText(cell("score").querySelector("b"), format.score(r.score));
      setText(cell("score").querySelector("small"), `${format.whole(r.low)}–${format.whole(r.high)}`);
      setText(cell("wins"), showWins(r));
    });
  }

  function write(answer) {
    writeInstead(describeInstead(answer));
    const text = describeWins(answer);
    setText($("wins-text"), text);
    $("gauge").toggleAttribute("hidden", !text);
    setLine($("gauge").querySelector(".fill"), 0, 100 * (answer.choice?.wins ?? 0));
    writeTop(answer);
    const parts = topRows(answer)
      .slice(0, 2)
      .map((r) => `${format.short(name(r))} ${format.score(r.score)}`);
    if (text) parts.push(`first in ${format.percent(answer.choice.wins)}`);
    setText($("strip"), parts.join(" · "));
    $("strip").hidden = !parts.length;
  }

  // The strip shows while the first three rows are out of view.
  function listen() {
    new IntersectionObserver(([entry]) => {
      $("strip").classList.toggle("shown", !entry.isIntersecting);
    }).observe($("top"));
  }

  return { write, sentence, describeWins, listen, MOST };
})();
