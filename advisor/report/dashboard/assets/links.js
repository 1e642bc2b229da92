// Addresses of what the page names; a text that is no such name has none. advisor/report/dashboard/links.py has the
// same rules.
const links = (() => {
  const { element, foreign } = format;
  const NAME = "[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}";
  const REPOSITORY = new RegExp(`^${NAME}$`);
  // "git:owner/name@commit …" is a history; "owner/name@commit path" is a file of a list.
  const HISTORY = new RegExp(`^git:(${NAME})@([0-9a-f]{7,40})( |$)`);
  const FILE = new RegExp(`^(${NAME})@([0-9a-f]{7,40}) ([^ ]+)$`);

  const repository = (name) => (REPOSITORY.test(name) ? `https://github.com/${name}` : null);

  function release(name, tag) {
    const base = repository(name);
    return base && `${base}/releases/tag/${encodeURIComponent(tag)}`;
  }

  function file(name, commit, path) {
    const base = repository(name);
    const isFile = base && path && /^[0-9a-f]{7,40}$/.test(commit ?? "");
    return isFile ? `${base}/blob/${commit}/${path.split("/").map(encodeURIComponent).join("/")}` : null;
  }

  function source(text) {
    const history = HISTORY.exec(text);
    if (history) return `${repository(history[1])}/tree/${history[2]}`;
    const part = FILE.exec(text);
    return part && `${repository(part[1])}/blob/${part[2]}/${encodeURI(part[3])}`;
  }

  // The text, as a link if it has an address.
  const anchor = (text, address) =>
    address
      ? element("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, foreign(text))
      : foreign(text);

  // Sources with "; " between them.
  function sources(texts) {
    const node = element("span");
    texts.forEach((text, j) => node.append(...(j ? ["; "] : []), anchor(text, source(text))));
    return node;
  }

  return { repository, release, file, source, anchor, sources };
})();
