// The buttons that copy a config or a command.
const task = (() => {
  async function copy(button) {
    const text = document.getElementById(button.dataset.copy),
      what = text.getAttribute("aria-label");
    try {
      await navigator.clipboard.writeText(text.textContent);
      return `In the clipboard: ${what}.`;
    } catch {
      getSelection().selectAllChildren(text);
      return `Selected, to be copied by the keyboard: ${what}.`;
    }
  }

  function listen() {
    document.querySelectorAll("button.copy").forEach((button) =>
      button.addEventListener("click", async () => {
        document.getElementById("task-said").textContent = await copy(button);
      }),
    );
  }
  return { listen };
})();
