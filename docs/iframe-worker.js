"use strict";
// Lets the search of the book run in a hidden frame where pages come from a disk: browsers start no worker there.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.title = "Search";
      this.frame = new Promise((ready) => frame.addEventListener("load", () => ready(frame.contentWindow), { once: true }));
      frame.srcdoc = `<script>postMessage = (data) => frameElement.answer(data)</script><script src="${new URL(address, location)}"></script>`;
      frame.answer = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      document.body.append(frame);
    }

    async postMessage(data) {
      (await this.frame).dispatchEvent(new MessageEvent("message", { data }));
    }

    async terminate() {
      (await this.frame).frameElement.remove();
    }
  };
}
