// What Gradio leaves out: it tells why nothing is recorded and that the service is away, and keeps what was typed.
(() => {
  const BOX = "[data-testid=textbox]";

  const tell = (name, text) => {
    const line = document.getElementById(name) ?? document.createElement("div");
    Object.assign(line, { id: name, className: "told", role: "alert", textContent: text });
    line.onclick = () => line.remove();
    document.body.append(line);
  };

  const SEND = "Send a recording as a file instead.";
  const media = navigator.mediaDevices;
  if (media) {
    const open = media.getUserMedia.bind(media);
    media.getUserMedia = (wanted) =>
      open(wanted).catch((error) => {
        const refused = error.name === "NotAllowedError";
        tell("microphone", `${refused ? "The browser does not let this page record." : "There is no microphone."} ${SEND}`);
        throw error;
      });
  } else {
    addEventListener("click", (event) => {
      if (event.target.closest("[data-testid=microphone-button]"))
        tell("microphone", `Browsers record only for pages on this machine or over HTTPS. ${SEND}`);
    });
  }

  // Gradio loads the page again when the service is back.
  addEventListener("pagehide", () => (sessionStorage.typed = document.querySelector(BOX)?.value ?? ""));
  new MutationObserver(() => {
    const box = document.querySelector(BOX);
    if (box && sessionStorage.typed) {
      box.value = sessionStorage.typed;
      delete sessionStorage.typed;
      box.dispatchEvent(new Event("input", { bubbles: true }));
    }
    for (const toast of document.querySelectorAll(".toast-body")) {
      if (!toast.innerText.includes("Connection to the server was lost") || toast.hidden) continue;
      toast.hidden = true;
      toast.style.display = "none";
      tell(
        "away",
        "The service was stopped, or is out of reach. Requests that it has taken are kept, and go on when it runs " +
          "again: `hugginggpt up` starts it, and then this page comes back by itself, with what you have typed.",
      );
    }
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
