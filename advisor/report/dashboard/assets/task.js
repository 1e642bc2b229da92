// The buttons that copy a config, a command or an install line.
const task = (() => {
  async function copy(button) {
    const text = document.getElementById(button.dataset.copy),
      label = text.getAttribute("aria-label") ?? text.textContent;
    try {
      await navigator.clipboard.writeText(text.textContent);
      return `Copied: ${label}.`;
    } catch {
      getSelection().selectAllChildren(text);
      return `Selected: ${label}. Copy it with the keyboard.`;
    }
  }

  function listen() {
    document.querySelectorAll("button.copy").forEach((button) =>
      button.addEventListener("click", async () => {
        const status = button.closest("details, section").querySelector("[role=status]");
        status.textContent = await copy(button);
      }),
    );
  }
  return { listen };
})();
