// The start of the page: it unpacks what is compressed in the file, and runs the script of the page once the plain
// HTML is on the screen, so that no script delays it.
const loader = (() => {
  const TIMEOUT = 1000; // ms: a hidden page is never painted
  const decoder = new TextDecoder();
  let isStarted = false;

  function bytesOf(base64) {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
    const text = atob(base64),
      bytes = new Uint8Array(text.length);
    for (let place = 0; place < text.length; place += 1) bytes[place] = text.charCodeAt(place);
    return bytes;
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
