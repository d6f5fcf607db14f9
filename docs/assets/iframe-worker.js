// Search runs in a worker, which browsers refuse to pages that are opened from the disk. There, and only there, this
// stands in for it: the same script in a hidden frame, which sends and receives messages as a worker does.
if (location.protocol === "file:") {
  window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      this.ready = new Promise((resolve) => {
        frame.onload = () => resolve(frame.contentWindow);
      });
      this.deliver = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      window.iframeWorkers = [...(window.iframeWorkers || []), this];
      const place = window.iframeWorkers.length - 1;
      frame.srcdoc = `<script>
        const worker = parent.iframeWorkers[${place}];
        window.postMessage = (data) => worker.deliver(data);
        window.importScripts = (...urls) => urls.reduce(
          (before, url) => before.then(() => new Promise((done, failed) => {
            const script = document.createElement("script");
            Object.assign(script, { src: url, onload: done, onerror: failed });
            document.head.append(script);
          })), Promise.resolve());
        </` + `script><script src="${url}"></` + `script>`;
      document.body.append(frame);
    }
    postMessage(data) {
      this.ready.then((view) => view.dispatchEvent(new view.MessageEvent("message", { data })));
    }
    terminate() {}
  };
  window.Worker = window.IFrameWorker;
}
