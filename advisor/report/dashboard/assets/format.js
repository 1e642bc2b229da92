// Numbers, days and text for readers; DOM elements that never parse text as HTML.
const format = (() => {
  const MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
  ];

  // Round to a whole number as Python does: a half goes to the even neighbour.
  function whole(x) {
    const floor = Math.floor(x);
    if (x - floor !== 0.5) return Math.round(x);
    return floor % 2 === 0 ? floor : floor + 1;
  }

  const percent = (share) => `${whole(100 * share)}%`;
  const tenths = (share) => `${(100 * share).toFixed(1)}%`;
  // A chance with a decimal place if it is small.
  const chance = (p) => (p < 0.1 ? tenths(p) : `${Math.round(100 * p)}%`);
  const score = (x) => (x === null ? "?" : `${whole(x)}`);
  // The points of criterion k of a row; "~": nothing was measured, "?": and the candidate has no score.
  const points = ({ cells, score: ofAll }, k) => {
    if (cells[4 * k + 3] === 0 && ofAll === null) return "?";
    return `${cells[4 * k + 3] > 0 ? "" : "~"}${whole(100 * cells[4 * k])}`;
  };

  function number(x, unit) {
    if (x === null || x === undefined) return "?";
    if (unit === "share") return percent(x);
    if (Math.abs(x) >= 1e6) return `${(x / 1e6).toFixed(1)}M`;
    if (Math.abs(x) >= 1e4) return `${whole(x / 1e3)}k`;
    if (Number.isInteger(x)) return x.toLocaleString("en", { useGrouping: true });
    if (Math.abs(x) >= 100) return whole(x).toLocaleString("en");
    return Math.abs(x) >= 10 ? x.toFixed(1) : x.toFixed(2);
  }

  function longDay(iso) {
    const [year, month, day] = iso.split("-").map(Number);
    return `${day} ${MONTHS[month - 1]} ${year}`;
  }

  const daysBetween = (from, to) => Math.round((Date.parse(to) - Date.parse(from)) / 86400000);

  // Plotly reads some tags and entities in its texts, so escape text from outside.
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  const short = (text, limit = 14) => {
    const letters = [...text];
    return letters.length > limit ? `${letters.slice(0, limit - 1).join("")}…` : text;
  };

  // "a, b and c"
  function join(texts) {
    if (texts.length < 2) return texts.join("");
    return `${texts.slice(0, -1).join(", ")} and ${texts[texts.length - 1]}`;
  }

  // The start of a title that names the first of those with data, where others have none.
  const among = (count, size, what = "with data") =>
    count < size ? `Of the ${count} candidates ${what}, ` : "";

  function element(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  // Text from outside, in its own direction.
  const foreign = (text) => element("bdi", {}, String(text));

  return {
    whole,
    percent,
    tenths,
    chance,
    score,
    points,
    number,
    longDay,
    daysBetween,
    plain,
    short,
    join,
    among,
    element,
    foreign,
  };
})();
