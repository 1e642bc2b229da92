// The start of the page: it unpacks what is compressed in the file, and runs the script of the page once the plain
// HTML is on the screen, so that no script delays it.
const loader = (() => {
  const TIMEOUT = 1000; // ms: a hidden page is never painted
  const decoder = new TextDecoder();
  let isStarted = false;

  // The bytes of a text in base 85: five signs stand for four bytes. dashboard/__init__.py has the same signs.
  const SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%,()*+-;.=:?@^_`{|}~";
  const values = new Uint8Array(128);
  for (let place = 0; place < SIGNS.length; place += 1) values[SIGNS.charCodeAt(place)] = place;
  function bytesOf(text) {
    const groups = new DataView(new ArrayBuffer(4 * Math.ceil(text.length / 5)));
    for (let from = 0; from < text.length; from += 5) {
      let number = 0;
      for (let at = from; at < from + 5; at += 1)
        number = 85 * number + (at < text.length ? values[text.charCodeAt(at)] : 84);
      groups.setUint32((from / 5) * 4, number);
    }
    return new Uint8Array(groups.buffer, 0, Math.floor((4 * text.length) / 5));
  }

  const unpack = (id) => decoder.decode(fflate.unzlibSync(bytesOf(document.getElementById(id).textContent)));

  // Run a compressed script; its hash is in the policy of the page.
  function run(id) {
    const script = document.createElement("script");
    script.textContent = unpack(id);
    document.head.append(script);
  }

  function start() {
    if (!isStarted) {
      isStarted = true;
      run("script");
    }
  }

  new PerformanceObserver((list) => {
    if (list.getEntriesByName("first-contentful-paint").length) start();
  }).observe({ type: "paint", buffered: true });
  setTimeout(start, document.visibilityState === "hidden" ? 0 : TIMEOUT);
  // Paper does not wait. The script of the page says what comes before a print.
  const actions = { beforePrint: () => {} };
  addEventListener("beforeprint", () => {
    start();
    actions.beforePrint();
  });

  return { unpack, run, actions };
})();
